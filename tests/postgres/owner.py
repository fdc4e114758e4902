"""Own or join an embedded server in a process of its own: says what it is, then lives until its stdin ends."""

import asyncio
import json
import sys
from pathlib import Path

from clipsaver.errors import StartFailed
from clipsaver.postgres.embedded import Embedded


def say(what: dict[str, object]) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def main(data_dir: Path, version: int) -> int:
    """Open, report, wait for a line, report again, and so on."""
    try:
        async with Embedded(data_dir, version=version) as embedded:
            while True:
                say({"owner": embedded.owner, "pid": embedded.pid, "url": embedded.url})
                if not await asyncio.to_thread(sys.stdin.readline):
                    return 0
    except StartFailed as error:
        say({"failed": error.message})
        return 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]))))

"""Where the child begins: ``python -I -S start.py <json>``. Says where its few packages are, then hands over."""

import json
import sys


def main() -> int:  # pragma: no cover - runs in the child only, which measures nothing
    """Find the packages the order names, and do what it says."""
    order = json.loads(sys.argv[1])
    sys.dont_write_bytecode = True
    sys.path[:0] = order["packages"]
    from clipsaver.media.sandbox import child  # noqa: PLC0415 - only now can it be found

    return child.main(order)


if __name__ == "__main__":  # pragma: no cover - likewise
    sys.exit(main())

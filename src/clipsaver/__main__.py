"""The command line; nothing else. What a command does is imported only once it is chosen."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROLES = {
    "run": "bot, worker and web in one process",
    "bot": "the bot alone: commands, servers and channels",
    "worker": "a worker alone: it carries on scans and scheduled jobs",
}
LARGEST_ID = 2**63 - 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status, 0 when all went well."""
    options = _parser().parse_args(arguments)
    if options.command in ROLES:
        _end_on_signals()
    from clipsaver import app  # noqa: PLC0415 - `--help` needs none of it

    return app.main(options, environ=os.environ, cwd=Path.cwd())


def _end_on_signals() -> None:
    """End at once and in order for as long as everything is only being imported, and nothing is open."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clipsaver", description="Finds every video clip in a Discord server's channels and saves it for good."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, what in (*ROLES.items(), ("check", "look whether the bot could start, and say what is missing")):
        command = commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
        command.add_argument("--config", type=Path, metavar="PATH", help="the configuration file")
    _export(commands.add_parser("export", help="write saved clips out as plain files"))
    _import(commands.add_parser("import", help="take such files back"))
    _demo(commands.add_parser("demo", help="everything against a Discord of our own on this machine"))
    return parser


def _export(export: argparse.ArgumentParser) -> None:
    export.description = (
        "Writes every saved clip into a folder, as files with readable names, with lists of all that is known of them, "
        "SHA256SUMS, and an index.html to look at them. Run again it adds what is new. The bot may run meanwhile."
    )
    export.add_argument("folder", type=Path, metavar="DIR", help="an empty folder, or one of an earlier export")
    export.add_argument("--guild", type=_whole(0, LARGEST_ID), metavar="ID", help="clips of this server only")
    export.add_argument(
        "--channel", type=_whole(0, LARGEST_ID), metavar="ID", help="clips of this channel and its threads only"
    )
    export.add_argument("--since", metavar="DATE", help="clips from then on only: 2026-01-31, or an age like 30d")
    export.add_argument("--config", type=Path, metavar="PATH", help="the configuration file")


def _import(take: argparse.ArgumentParser) -> None:
    take.description = (
        "Takes the clips of an exported folder into the database and the storage; every file is checked first. What is "
        "there already stays as it is. The bot may run meanwhile."
    )
    take.add_argument("folder", type=Path, metavar="DIR", help="the folder of an export")
    take.add_argument(
        "--gone", action="store_true", help="take clips, too, that were gone when the folder was last written to"
    )
    take.add_argument("--config", type=Path, metavar="PATH", help="the configuration file")


def _demo(demo: argparse.ArgumentParser) -> None:
    demo.description = (
        "Starts a Discord of our own on this machine, a bot with its database, and scans its channels as a moderator "
        "would. Nothing of it is kept."
    )
    demo.add_argument("--once", action="store_true", help="end after the first scan, with a summary")
    demo.add_argument("--channels", type=_whole(1, 500), default=10, metavar="N", help="channels to scan (10)")
    demo.add_argument(
        "--messages", type=_whole(0, 10_000_000), default=5_000, metavar="N", help="messages in all (5000)"
    )
    demo.add_argument(
        "--videos", type=_whole(0, 100), default=10, metavar="PERCENT", help="of messages with a clip (10)"
    )
    demo.add_argument("--seed", type=int, default=1, metavar="N", help="another seed, another world (1)")
    demo.add_argument(
        "--rate-limits", action=argparse.BooleanOptionalAction, default=True, help="limit requests as Discord does"
    )
    demo.add_argument("--json", action="store_true", help="the summary as JSON, and nothing else, on standard output")
    demo.add_argument("--config", type=Path, metavar="PATH", help="a configuration file, for its logging and scans")


def _whole(least: int, most: int) -> Callable[[str], int]:
    """Read a whole number between two bounds, both included, or say what is allowed."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} to {most}")
        return number

    return read


if __name__ == "__main__":
    sys.exit(main())

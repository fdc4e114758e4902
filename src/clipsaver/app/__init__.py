"""The composition root: from the configuration to a running program. The only place that knows everything."""

import asyncio
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import structlog

from clipsaver import logs
from clipsaver.app.memory import collect_seldom
from clipsaver.config import Config, load
from clipsaver.errors import BadInput, StartFailed

log = structlog.get_logger("clipsaver.app")


def log_to(config: Config, stream: TextIO | None = None) -> None:
    """Log as the configuration says, on standard output if nowhere else."""
    told = config.log
    logs.configure(level=told.level, form=told.format, levels=told.levels, secrets=config.secrets, stream=stream)


def main(options: Namespace, *, environ: Mapping[str, str], cwd: Path) -> int:
    """Carry out a command; the exit status. A start that can't succeed is one CRITICAL sentence and 1."""
    logs.configure()
    logs.catch_crashes()
    try:
        if options.command == "demo":
            from clipsaver.app.demo import demo  # noqa: PLC0415 - the simulator is imported for the demo alone

            collect_seldom()
            return asyncio.run(demo(options))
        config = load(options.config, environ, cwd)
        if options.command == "check":
            log_to(config, sys.stderr)  # standard output has the report
            from clipsaver.app.check import check  # noqa: PLC0415 - likewise

            return asyncio.run(check(config))
        if options.command in {"export", "import"}:
            from clipsaver.app.portable import export_clips, import_clips, quiet  # noqa: PLC0415 - likewise

            log_to(quiet(config), sys.stderr)  # standard output has the summary
            return asyncio.run((export_clips if options.command == "export" else import_clips)(config, options))
        log_to(config)
        from clipsaver.app.run import Role, run  # noqa: PLC0415 - hikari alone takes half a second to import

        collect_seldom()
        return asyncio.run(run(config, Role(options.command)))
    except (StartFailed, BadInput) as error:
        log.critical("start.failed", reason=str(error))
        return 1
    except KeyboardInterrupt:
        return 130

"""The composition root: from the configuration to a running program. The only place that knows everything."""

import asyncio
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

import structlog

from clipsaver import logs
from clipsaver.config import Config, load
from clipsaver.errors import StartFailed

log = structlog.get_logger("clipsaver.app")


def log_to(config: Config) -> None:
    """Log as the configuration says."""
    told = config.log
    logs.configure(level=told.level, form=told.format, levels=told.levels, secrets=config.secrets)


def main(options: Namespace, *, environ: Mapping[str, str], cwd: Path) -> int:
    """Carry out a command; the exit status. A start that can't succeed is one CRITICAL sentence and 1."""
    logs.configure()
    try:
        if options.command == "demo":
            from clipsaver.app.demo import demo  # noqa: PLC0415 - the simulator is imported for the demo alone

            return asyncio.run(demo(options))
        config = load(options.config, environ, cwd)
        log_to(config)
        if options.command == "check":
            from clipsaver.app.check import check  # noqa: PLC0415 - likewise

            return asyncio.run(check(config))
        from clipsaver.app.run import Role, run  # noqa: PLC0415 - hikari alone takes half a second to import

        return asyncio.run(run(config, Role(options.command)))
    except StartFailed as error:
        log.critical("start.failed", reason=str(error))
        return 1
    except KeyboardInterrupt:
        return 130

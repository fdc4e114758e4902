"""structlog and the standard library's logging, brought together on one stream."""

import logging
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TextIO

import orjson
import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.types import EventDict, Processor, WrappedLogger

from clipsaver.logs.clean import Cleaner

LEVELS = {"TRACE": 5, "DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50}
MOST_FRAMES = 30


class Lines(logging.StreamHandler[TextIO]):
    """Writes each record as one line; one that can't be written is replaced by a line that says so."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is the standard library's
        """Say which logger's record was lost and why, still as JSON."""
        kind, error, _ = sys.exc_info()
        line = {
            "timestamp": datetime.now(UTC).isoformat(),
            "level": "error",
            "logger": "clipsaver.logs",
            "event": "log.failed",
            "about": record.name,
            "error_type": None if kind is None else kind.__name__,
        }
        if isinstance(error, OSError):
            return
        with suppress(OSError, ValueError):
            self.stream.write(orjson.dumps(line).decode() + self.terminator)


def configure(
    *,
    level: str = "INFO",
    form: str = "auto",
    levels: Mapping[str, str] | None = None,
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> None:
    """Send every log line, ours and the libraries', to one stream (stdout); called again, it starts over.

    ``form`` is json, console or auto: console on a terminal, else json. ``levels`` are those of single loggers.
    """
    target = sys.stdout if stream is None else stream
    terminal = target.isatty()
    reading = form == "console" or (form == "auto" and terminal)
    handler = Lines(target)
    handler.setFormatter(
        ProcessorFormatter(
            foreign_pre_chain=_shared(),
            processors=[_forget_record, *_last(Cleaner.of(secrets), reading=reading, colours=terminal)],
        )
    )
    _replace_handlers(handler)
    logging.getLogger().setLevel(LEVELS[level])
    for name, own in (levels or {}).items():
        logging.getLogger(name).setLevel(LEVELS[own])
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *_shared(), ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _replace_handlers(handler: logging.Handler) -> None:
    """Take the place of our earlier handler and of plain ones, not of those that watch for other reasons."""
    root = logging.getLogger()
    for earlier in list(root.handlers):
        if type(earlier) in {Lines, logging.StreamHandler}:
            root.removeHandler(earlier)
    root.addHandler(handler)


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _last(cleaner: Cleaner, *, reading: bool, colours: bool) -> list[Processor]:
    if reading:
        return [
            structlog.processors.format_exc_info,
            cleaner,
            structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback),
        ]
    transformer = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=MOST_FRAMES)
    return [structlog.processors.ExceptionRenderer(transformer), cleaner, structlog.processors.JSONRenderer(_json)]


def _json(event: Any, **_: Any) -> str:
    return orjson.dumps(event).decode()


def _forget_record(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Drop what the formatter carries along for its own use."""
    event.pop("_record", None)
    event.pop("_from_structlog", None)
    return event

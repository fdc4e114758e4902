"""What nobody caught is logged like everything else."""

import secrets
import sys
import threading
from asyncio import AbstractEventLoop, Task
from types import TracebackType
from typing import Any

import structlog

log = structlog.get_logger("clipsaver")


def reference() -> str:
    """A short reference that a person is shown and that is in the log as well."""
    return secrets.token_hex(4)


def catch_crashes() -> None:
    """Log what ends the program or a thread, and what goes wrong while objects are taken away."""
    sys.excepthook = on_crash
    threading.excepthook = on_thread_crash
    sys.unraisablehook = on_unraisable


def on_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Log what ended the program; an interrupt from the keyboard is no crash."""
    if issubclass(kind, KeyboardInterrupt):
        return
    log.critical("process.crashed", exc_info=(kind, error, trace))


def on_thread_crash(args: threading.ExceptHookArgs) -> None:
    """Log what ended a thread."""
    error = args.exc_value
    if error is not None:
        log.error("thread.crashed", thread=getattr(args.thread, "name", None), exc_info=error)


def on_unraisable(args: "sys.UnraisableHookArgs") -> None:
    """Log what went wrong where nothing can be raised; the object itself must not be kept."""
    log.error(
        "process.unraisable", message=args.err_msg, about=type(args.object).__name__, exc_info=args.exc_value or False
    )


def on_loop_error(_loop: AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what asyncio could not hand to anyone; for `loop.set_exception_handler`."""
    task = context.get("task") or context.get("future")
    name = task.get_name() if isinstance(task, Task) else None
    log.error(
        "asyncio.unhandled", message=context.get("message"), task=name, exc_info=context.get("exception") or False
    )

"""Look at stored videos, each in a child process that can do nothing else and does not live long."""

import asyncio
import contextlib
import importlib.util
import json
import os
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import structlog
from attrs import define, field
from attrs.validators import ge

from clipsaver.media.probe.answers import LONGEST_ANSWER, read_answer
from clipsaver.media.probe.children import hear
from clipsaver.media.probe.model import Examined, Failed
from clipsaver.media.sandbox import start
from clipsaver.media.sandbox.wire import Reason

log = structlog.get_logger("clipsaver.media")

MEGABYTE: Final = 1024 * 1024
GRACE: Final = 2
"""Seconds after which a child ends itself, should nobody have."""
PACKAGES: Final = ("clipsaver", "av", "PIL")
INHERITED: Final = ("SYSTEMROOT",)
"""Windows starts nothing without it."""


def _packages() -> list[str]:
    """The folders that hold what the child imports, found without importing it."""
    folders = []
    for name in PACKAGES:
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            raise Failed(Reason.UNAVAILABLE, sentence=f"Videos can't be looked at: the package {name} is missing.")
        folders.append(str(Path(found.origin).parent.parent))
    return list(dict.fromkeys(folders))


@define(kw_only=True, eq=False)
class Studio:
    """Examines stored videos; at most so many at once, each in a child of its own."""

    memory_mb: int = field(default=512, validator=ge(192))
    """Address space of a child; loading the decoders alone takes 123."""
    children: int = field(default=1, validator=ge(1))
    wall_seconds: float = 15.0
    cpu_seconds: int = 10
    max_pixels: int = 8192 * 4352
    """Of one frame; larger ones are not decoded."""
    _room: asyncio.Semaphore = field(init=False)
    _folders: list[str] = field(init=False, factory=_packages)

    def __attrs_post_init__(self) -> None:
        self._room = asyncio.Semaphore(self.children)

    async def examine(self, path: Path, *, want_pictures: bool = True) -> Examined:
        """Say what a file is, and show it; raises Failed with a reason, and with what was known by then."""
        async with self._room:
            with _opened(path) as source:
                begun = time.monotonic()
                data, status = await self._ask(source, want_pictures=want_pictures)
        answer = read_answer(data)
        log.debug(
            "media.examined",
            seconds=round(time.monotonic() - begun, 3),
            status=status,
            held=sorted(answer.held),
            bytes=len(data),
        )
        return answer.outcome(status, want_pictures=want_pictures)

    async def barriers(self) -> frozenset[str]:
        """What a child can give up on this machine: limits, network, user, landlock, seccomp."""
        with _opened(Path(start.__file__)) as source:
            data, _ = await self._ask(source, want_pictures=False)
        return read_answer(data).held

    async def _ask(self, source: int, *, want_pictures: bool) -> tuple[bytes, int | None]:
        """A child's whole answer and its exit status; None when its time was up."""
        order = json.dumps(self._order(want_pictures=want_pictures))
        try:
            return await hear(
                [sys.executable, "-I", "-S", start.__file__, order],
                source=source,
                environment=_environment(),
                seconds=self.wall_seconds,
                longest=LONGEST_ANSWER,
            )
        except OSError as error:
            raise Failed(Reason.UNAVAILABLE) from error

    def _order(self, *, want_pictures: bool) -> Mapping[str, Any]:
        return {
            "packages": self._folders,
            "parent": os.getpid(),
            "limits": {
                "memory": self.memory_mb * MEGABYTE,
                "cpu_seconds": self.cpu_seconds,
                "wall_seconds": self.wall_seconds + GRACE,
            },
            "max_pixels": self.max_pixels,
            "want_pictures": want_pictures,
        }


def _environment() -> dict[str, str]:
    clean = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": os.defpath, "MALLOC_ARENA_MAX": "1"}
    return clean | {name: os.environ[name] for name in INHERITED if name in os.environ}


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The file, open for reading: the child gets it, and never its name."""
    try:
        source = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise Failed(Reason.UNAVAILABLE, sentence="The stored video can't be opened.") from error
    try:
        if not stat.S_ISREG(os.fstat(source).st_mode):
            raise Failed(Reason.NOT_A_VIDEO)
        yield source
    finally:
        os.close(source)

"""Numbered points of a scan, and how a process notices that it passes one.

What a point is hangs on the texts of statements, as asyncpg is given them, and on one function: when those change, this
table changes with them.
"""

import hashlib
import importlib
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, Final

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement
from attrs import define, field, frozen

CLAIM: Final = r"skip locked .*update bot_channel_scan_runs "
RANGE_FIXED: Final = r"update bot_channel_scan_runs .*set horizon = "
KEEPING: Final = r"update bot_channels .*\bcoverage = "
FINISHED: Final = r"update bot_channel_scan_runs .*set status = \$3::.*finished_at = clock_timestamp"


@frozen(kw_only=True)
class Point:
    """A moment: just before or just after a statement, the commit of whatever it is part of, or a call."""

    statement: str = ""
    """A pattern of its text; it counts only if something came back."""
    commit_of: str = ""
    """A pattern: the commit of a transaction that has such a statement, or that statement where there is none."""
    call: str = ""
    """``module:Class.method``."""
    before: bool = False


POINTS: Final[Mapping[str, Point]] = {
    "after the claim": Point(statement=CLAIM),
    "after the range was fixed": Point(statement=RANGE_FIXED),
    "after a page arrived": Point(call="clipsaver.discord.history:History.cut"),
    "before a commit": Point(commit_of=KEEPING, before=True),
    "after a commit": Point(commit_of=KEEPING),
    "before the end is written": Point(statement=FINISHED, before=True),
    "before the end is committed": Point(commit_of=FINISHED, before=True),
    "after the end": Point(commit_of=FINISHED),
}
TAKEN: Final = r"insert into downloads "
STORED: Final = r"update clips set state = 'stored'"
SAVING: Final[Mapping[str, Point]] = {
    "after a clip was taken": Point(statement=TAKEN),
    "after a clip's claim": Point(commit_of=TAKEN),
    "after its bytes came": Point(call="clipsaver.media.fetching.fetcher:Fetcher.fetch"),
    "after its bytes were kept": Point(call="clipsaver.media.storage.local:LocalStorage.keep"),
    "before its blob's row": Point(statement=r"insert into blobs ", before=True),
    "before it is stored": Point(statement=STORED, before=True),
    "before that is committed": Point(commit_of=STORED, before=True),
    "after that was committed": Point(commit_of=STORED),
}
"""Those of a clip that is saved."""
LOOKED_AT: Final = r"update thumbnails t set attempts = t\.attempts \+ 1"
MADE: Final = r"update thumbnails t set state = 'made'"
PICTURING: Final[Mapping[str, Point]] = {
    "after a video was taken": Point(statement=LOOKED_AT),
    "after a video's claim": Point(commit_of=LOOKED_AT),
    "after it was looked at": Point(call="clipsaver.media.probe.studio:Studio.examine"),
    "after one of its pictures was kept": Point(call="clipsaver.media.storage.local:LocalStorage.put_picture"),
    "before its facts are written": Point(statement=MADE, before=True),
    "before they are committed": Point(commit_of=MADE, before=True),
    "after they were committed": Point(commit_of=MADE),
}
"""Those of a stored video that gets its pictures."""
AFTER_STATEMENT: Final = "after statement "
"""And a digest: just after that statement of a transaction that keeps pages."""

METHODS: Final = {
    asyncpg.Connection: ("execute", "executemany", "fetch", "fetchrow", "fetchval", "copy_records_to_table"),
    PreparedStatement: ("executemany", "fetch", "fetchrow", "fetchval"),
}
Noticed = Callable[[], None]


def flat(text: str) -> str:
    """A statement on one line."""
    return " ".join(text.split())


def digest(text: str) -> str:
    """What tells a statement from others, short enough for a command line."""
    return hashlib.blake2b(flat(text).encode(), digest_size=6).hexdigest()


@define(kw_only=True, eq=False)
class Watch:
    """Follows every statement of this process; calls ``passed`` each time it passes the point."""

    point: str
    passed: Noticed
    keeping: dict[str, str] = field(factory=dict)
    """Every statement seen in transactions that keep pages, by digest, in order."""
    learned: Noticed = lambda: None
    """Called when ``keeping`` has grown."""
    _open: dict[int, list[str]] = field(factory=dict, init=False)
    """The statements of transactions, by connection."""

    def begin(self) -> None:
        """Wrap what statements go through."""
        for cls, names in METHODS.items():
            for name in names:
                setattr(cls, name, self._statement(getattr(cls, name)))
        if self._point is not None and self._point.call:
            module, _, where = self._point.call.partition(":")
            owner, name = where.split(".")
            cls = getattr(importlib.import_module(module), owner)
            setattr(cls, name, self._call(getattr(cls, name)))

    @property
    def _point(self) -> Point | None:
        return {**POINTS, **SAVING, **PICTURING}.get(self.point)

    def _call(self, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @wraps(original)
        async def calling(*args: Any, **options: Any) -> Any:
            answer = await original(*args, **options)
            self.passed()
            return answer

        return calling

    def _statement(self, original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @wraps(original)
        async def running(self_: Any, *args: Any, **options: Any) -> Any:
            prepared = isinstance(self_, PreparedStatement)
            conn = self_._connection if prepared else self_
            text = flat(self_.get_query() if prepared else str(args[0]))
            self._before(conn, text)
            answer = await original(self_, *args, **options)
            self._after(conn, text, answer)
            return answer

        return running

    def _before(self, conn: Any, text: str) -> None:
        point = self._point
        if point is None or not point.before:
            return
        if point.statement and re.search(point.statement, text):
            self.passed()
        if point.commit_of and any(re.search(point.commit_of, one) for one in self._committed_by(conn, text)):
            self.passed()

    def _after(self, conn: Any, text: str, answer: Any) -> None:
        committed = self._committed_by(conn, text)
        inside = self._open.setdefault(id(conn), [])
        if any(re.search(KEEPING, one) for one in committed):
            self._learn(committed)
        if not conn.is_in_transaction():
            inside.clear()
        elif not text.lower().startswith("begin"):
            inside.append(text)
        point = self._point
        if point is None:
            if self.point == f"{AFTER_STATEMENT}{digest(text)}" and inside:
                self.passed()
        elif not point.before:
            answered = answer not in (None, [], "UPDATE 0")
            if point.statement and re.search(point.statement, text) and answered:
                self.passed()
            if point.commit_of and any(re.search(point.commit_of, one) for one in committed):
                self.passed()

    def _committed_by(self, conn: Any, text: str) -> list[str]:
        """The statements that this one commits: those of its transaction, or itself alone."""
        if text.lower().startswith(("commit", "end")):
            return list(self._open.get(id(conn), []))
        return [] if self._open.get(id(conn)) or conn.is_in_transaction() else [text]

    def _learn(self, statements: list[str]) -> None:
        new = {digest(one): one for one in statements if digest(one) not in self.keeping}
        if new:
            self.keeping |= new
            self.learned()

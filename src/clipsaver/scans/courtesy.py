"""Who has just begun goes first: a short scan doesn't wait for the thousands of pages of a long one."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from attrs import define, field

YOUTH: Final = 1.0
"""Seconds from its start in which a run goes before those that have been at it for longer."""
PATIENCE: Final = 0.05
"""Seconds these let it pass before each page: however many begin, they go on."""


@define(eq=False, kw_only=True)
class Courtesy:
    """The runs of one process, as far as they stand in one another's way: on its one core, and in the database."""

    youth: float = YOUTH
    patience: float = PATIENCE
    _young: set["Turn"] = field(factory=set, init=False)
    _old: set["Turn"] = field(factory=set, init=False)
    _nobody: asyncio.Event = field(factory=asyncio.Event, init=False)
    """Set while nobody is young."""

    def __attrs_post_init__(self) -> None:
        self._nobody.set()

    @contextmanager
    def begin(self) -> Iterator["Turn"]:
        """A run that begins now; it is young until this is left, or its time is over."""
        turn = Turn(self)
        self._young.add(turn)
        self._nobody.clear()
        ageing = asyncio.get_running_loop().call_later(self.youth, self._age, turn)
        try:
            yield turn
        finally:
            ageing.cancel()
            self._age(turn)
            self._old.discard(turn)

    async def let_pass(self, turn: "Turn") -> None:
        """Wait a moment for those who have just begun, unless this is one of them."""
        if self._nobody.is_set() or turn in self._young:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(self.patience):
                await self._nobody.wait()

    def goes_first(self, turn: "Turn") -> bool:
        """Whether this has just begun, and there is somebody whom it would have to wait for."""
        return turn in self._young and bool(self._old)

    def _age(self, turn: "Turn") -> None:
        self._young.discard(turn)
        self._old.add(turn)
        if not self._young:
            self._nobody.set()


@define(eq=False)
class Turn:
    """One run's place among them."""

    courtesy: Courtesy

    @property
    def goes_first(self) -> bool:
        """Whether what it has read is kept before what others have."""
        return self.courtesy.goes_first(self)

    async def let_pass(self) -> None:
        """Wait a moment for those who have begun later, if it is long since this one did."""
        await self.courtesy.let_pass(self)

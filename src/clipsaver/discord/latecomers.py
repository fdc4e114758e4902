"""Requests that counted later than in their turn, since somebody was held up: they take room in the second after it.

Turns keep a distance, but what a busy machine, the line or Discord itself delays comes together with what was sent
after it, and whoever counts the requests of any second counts it there. So the budget is told, and leaves room.
"""

from collections.abc import Sequence
from typing import Final

from attrs import define, field

WORTH: Final = 0.01
"""Seconds from which on a delay is told of. Turns are farther apart: of those that were held up together no more than
one was held up for less, and for one there is room."""
SECOND: Final = 1.0
"""Discord counts a bot's requests over so long."""
EDGE: Final = 0.005
"""Seconds more at either end, since nobody's clock is that exact."""
MOST: Final = 500


@define
class Latecomers:
    """From when until when each of them takes room that isn't its turn's, by the pacer's clock."""

    _ranges: list[tuple[float, float]] = field(factory=list)

    def note(self, *, due: float, counted: float, doubt: float) -> bool:
        """A request whose turn was due then counted so late, as far as we can tell; whether that is worth telling.

        ``doubt``: seconds by which the turn may have been earlier; what follows must not begin after its second ends.
        """
        if counted - due < WORTH:
            return False
        self._ranges.append((due + SECOND - doubt - EDGE, counted + SECOND + EDGE))
        del self._ranges[:-MOST]
        return True

    def untold(self, now: float) -> Sequence[tuple[float, float]]:
        """Those that the budget is to know: begin and end, in seconds from now."""
        self._ranges = [one for one in self._ranges if one[1] > now]
        return [(begin - now, end - now) for begin, end in self._ranges]

    def told(self, ranges: int) -> None:
        """The budget knows the first ones."""
        del self._ranges[:ranges]

"""Requests that counted later than in their turn, since somebody was held up: they take room in the second after it.

Turns keep a distance, but what a busy machine, the line or Discord itself delays comes together with what was sent
after it, and whoever counts the requests of any second counts it there. So the budget is told, and leaves room.
"""

from datetime import datetime
from typing import Final, NamedTuple

from attrs import define, field

SECOND: Final = 1.0
"""Discord counts a bot's requests over so long."""
WORTH: Final = 0.01
"""Seconds from which on a delay is told of. Turns are farther apart: of those that were held up together no more than
one was held up for less, and for one there is room."""
EDGE: Final = 0.005
"""Seconds more, since nobody's clock is that exact."""
LOOK: Final = 0.25
"""Seconds between two looks at what has no answer yet."""
OVERDUE: Final = 0.6
"""Seconds without an answer after which room is kept ahead of it: later than that, the turn's own second is over."""
MOST: Final = 200
"""That are told at a time: more than four seconds' requests."""
STEADY: Final = 10
"""Round trips seen until any of them is taken for a long one."""
LEARNT: Final = 50
"""Round trips seen from which on none of them tells much by itself."""
UNUSUAL: Final = 4.0
"""How many times the usual excess over the shortest makes a round trip one that was held up."""
SLOWLY: Final = 0.005
SHORTEST_EXCESS: Final = 0.001


@define
class Trips:
    """How long the requests of a route take there and back."""

    _shortest: float = float("inf")
    _usual: float = 0.0
    """How much longer they take than the shortest; one that was held up counts for little."""
    _seen: int = 0

    def measured(self, seconds: float) -> None:
        """Learn from one."""
        self._seen += 1
        self._shortest = min(self._shortest, seconds)
        excess = seconds - self._shortest
        if self._seen > LEARNT:
            excess = min(excess, 2 * max(self._usual, SHORTEST_EXCESS))
        self._usual += max(SLOWLY, 1 / self._seen) * (excess - self._usual)

    def held_up(self, seconds: float) -> float:
        """Seconds for which one may have been held up before it counted; 0 for what varies all the time."""
        excess = seconds - self._shortest
        return excess if self._seen >= STEADY and excess > UNUSUAL * self._usual else 0.0


class Late(NamedTuple):
    """Room that a request takes after its turn's second."""

    turn: datetime
    """By the database's clock."""
    begin: float
    end: float
    """Seconds after it."""


@define(eq=False)
class Flight:
    """A request on its way."""

    turn: datetime
    due: float
    """The same, or a little earlier, by our clock."""
    sent: float
    trips: Trips
    kept: float = SECOND
    """Seconds after its turn for which room is kept for it."""


@define(eq=False)
class Latecomers:
    """Looks after what is on its way, by the pacer's clock."""

    _trips: dict[str, Trips] = field(factory=dict)
    """By route: there are a few dozen."""
    _flying: set[Flight] = field(factory=set)
    _untold: list[Late] = field(factory=list)
    _look_at: float = 0.0

    def left(self, route: str, *, turn: datetime, due: float, sent: float) -> Flight:
        """A request was sent in its turn, or after it."""
        flight = Flight(turn, due, sent, self._trips.setdefault(route, Trips()))
        self._flying.add(flight)
        return flight

    def unsent(self, flight: Flight) -> None:
        """It was not, after all."""
        self._flying.discard(flight)

    def came(self, flight: Flight, *, took: float, answered: bool) -> None:
        """Its round trip is over, answered or given up."""
        self._flying.discard(flight)
        late = flight.sent + flight.trips.held_up(took) - flight.due
        if answered:
            flight.trips.measured(took)
        if late >= WORTH:
            self._keep(flight, SECOND + late + EDGE)

    @property
    def waiting(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._untold)

    def untold(self, now: float) -> list[Late]:
        """What the budget is to be told; whoever can't tell it gives it back."""
        if now >= self._look_at:
            self._look_at = now + LOOK
            for flight in self._flying:
                waited = now - flight.sent
                if waited > OVERDUE and flight.trips.held_up(waited):
                    self._keep(flight, SECOND + now - flight.due + 2 * LOOK)
        told, self._untold = self._untold[-MOST:], []
        return told

    def give_back(self, late: list[Late]) -> None:
        """It could not be told."""
        self._untold = late + self._untold

    def look_within(self, seconds: float) -> float:
        """How long one may sleep: while something is on its way, it is looked at now and then."""
        return min(seconds, LOOK) if self._flying else seconds

    def _keep(self, flight: Flight, until: float) -> None:
        if until > flight.kept:
            self._untold.append(Late(flight.turn, flight.kept, until))
            flight.kept = until

"""What a test may order to go wrong with coming events: lost, doubled, or in the wrong order."""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from attrs import define, field

Event = tuple[str, Mapping[str, Any], int | None]


class Wrong(Enum):
    """What can happen to an event."""

    LOSE = "lose"
    DOUBLE = "double"
    SWAP = "swap"
    """It comes right after the event that follows it."""


@define
class Disorder:
    """Orders wait for their event; each is carried out once."""

    _orders: list[tuple[str, Wrong]] = field(factory=list, init=False)
    _held: list[Event] = field(factory=list, init=False)

    def order(self, wrong: Wrong, name: str) -> None:
        """Let the next event of a name go wrong."""
        self._orders.append((name, wrong))

    def apply(self, event: Event, dispatch: Callable[[Event], None]) -> None:
        """Dispatch an event, or what the orders make of it."""
        held, self._held = self._held, []
        order = next((one for one in self._orders if one[0] == event[0]), None)
        if order is not None:
            self._orders.remove(order)
        match order[1] if order is not None else None:
            case Wrong.LOSE:
                pass
            case Wrong.SWAP:
                self._held.append(event)
            case Wrong.DOUBLE:
                dispatch(event)
                dispatch(event)
            case _:
                dispatch(event)
        for late in held:
            dispatch(late)

"""The simulator's interactions: commands, their invocations and the answers to them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clipsaver.simulator.interactions.interactions import Interactions

__all__ = ["Interactions"]


def __getattr__(name: str) -> Any:
    """Import the service when it is asked for: REST uses this package's forms, the service uses REST's answers."""
    if name not in __all__:
        raise AttributeError(name)
    from clipsaver.simulator.interactions.interactions import Interactions  # noqa: PLC0415 - said above

    return Interactions

"""One interaction: what was asked, by whom, and how far its answer is."""

from collections import deque
from typing import Any, Final

from attrs import define, field

from clipsaver.simulator.entities import Message

COMMAND: Final = 2
COMPONENT: Final = 3
AUTOCOMPLETE: Final = 4
MODAL: Final = 5

FIRST_ANSWER: Final = 3.0
"""Seconds for the first answer; without one the token is worth nothing."""
MOST_STATES: Final = 500
LIFETIME: Final = 15 * 60.0
"""Seconds the token lives."""


@define(kw_only=True, eq=False)
class Interaction:
    """An interaction that was sent to the application."""

    id: int
    token: str = field(repr=False)
    type: int
    user_id: int
    channel_id: int
    guild_id: int | None
    created: float
    """By the world's clock."""
    owners: dict[str, str]
    """Discord's authorizing_integration_owners."""
    command: str = ""
    """The command with its subcommands, for commands and autocomplete."""
    command_type: int = 1
    target_id: int | None = None
    focused_type: int | None = None
    """The type of the option that is being typed."""
    source_id: int | None = None
    """The message whose component was used, here or through the modal it opened."""
    opened_by: "Interaction | None" = None
    """What opened the modal that was sent in."""

    answered: int | None = None
    """The type of the first answer."""
    original_id: int | None = None
    """The message that ``@original`` means."""
    messages: list[int] = field(factory=list)
    """Every message it made, the original first."""
    states: deque[Message] = field(factory=lambda: deque(maxlen=MOST_STATES))
    """Every state of its messages, as far as it made them."""
    given_up: bool = False
    """Whether the person's client stopped waiting for the first answer."""
    choices: list[dict[str, Any]] | None = None
    modal: dict[str, Any] | None = None

    @property
    def is_component(self) -> bool:
        """Whether there is a message to update: a component's, or that of the component which opened the modal."""
        return self.source_id is not None

    def lost(self, now: float) -> bool:
        """Whether the application let the time for the first answer pass."""
        return self.answered is None and (self.given_up or now - self.created > FIRST_ANSWER)

    def expired(self, now: float) -> bool:
        """Whether the token is worth nothing any more."""
        return self.lost(now) or now - self.created > LIFETIME

    def metadata(self, user: dict[str, Any], *, follow_up: bool = False) -> dict[str, Any]:
        """The interaction_metadata of a message it makes."""
        told: dict[str, Any] = {
            "id": str(self.id),
            "type": self.type,
            "user": user,
            "authorizing_integration_owners": self.owners,
        }
        if follow_up and self.original_id is not None:
            told["original_response_message_id"] = str(self.original_id)
        if self.type == COMPONENT:
            told["interacted_message_id"] = str(self.source_id)
        if self.type == MODAL and self.opened_by is not None:
            told["triggering_interaction_metadata"] = self.opened_by.metadata(user)
        if self.target_id is not None:
            told |= {"target_message_id": str(self.target_id)} if self.command_type == 3 else {}  # noqa: PLR2004 - MESSAGE
        return told

"""What a person sees of the application's answer, from the first sign of life to the last edit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define

from clipsaver.simulator.entities import Message
from clipsaver.simulator.interactions.interaction import Interaction
from clipsaver.simulator.interactions.interactions import Interactions
from clipsaver.simulator.person.refusals import NoAnswer
from clipsaver.simulator.person.shown import Shown

FAILED = "The application did not respond"
PATIENCE = 30.0


@define(eq=False)
class Reply:
    """The answer to one interaction; its properties show the moment, ``states`` what there was."""

    interactions: Interactions
    interaction: Interaction

    @property
    def answered(self) -> bool:
        """Whether the application gave any sign of life in time."""
        return self.interaction.answered is not None

    @property
    def failed(self) -> bool:
        """Whether the client says that the application did not respond."""
        return self.interaction.lost(self.interactions.world.clock())

    @property
    def message(self) -> Shown | None:
        """The original answer, or the message that a component updates; None if there is none (any more)."""
        original = self.interaction.original_id
        return None if original is None else self._find(original)

    @property
    def follow_ups(self) -> Sequence[Shown]:
        """Every further message that is still there."""
        others = (one for one in self.interaction.messages if one != self.interaction.original_id)
        return tuple(found for one in others if (found := self._find(one)) is not None)

    @property
    def messages(self) -> Sequence[Shown]:
        """Original and follow-ups."""
        original = self.message
        return (() if original is None else (original,)) + tuple(self.follow_ups)

    @property
    def states(self) -> Sequence[Shown]:
        """Every state of every message since the question, oldest first."""
        return tuple(Shown.of(self.interactions.world, one) for one in self.interaction.states)

    @property
    def modal(self) -> Mapping[str, Any] | None:
        """The form that popped up."""
        return self.interaction.modal

    @property
    def thinking(self) -> bool:
        """Whether the application has yet to say something."""
        message = self.message
        return not self.answered or (message is not None and message.thinking)

    @property
    def ephemeral(self) -> bool:
        """Whether only the person sees the answer."""
        message = self.message
        return message is not None and message.ephemeral

    @property
    def content(self) -> str:
        """The original answer's content."""
        message = self.message
        return "" if message is None else message.content

    @property
    def embeds(self) -> Sequence[Mapping[str, Any]]:
        """The original answer's embeds."""
        message = self.message
        return () if message is None else message.embeds

    @property
    def components(self) -> Sequence[Mapping[str, Any]]:
        """The original answer's components."""
        message = self.message
        return () if message is None else message.components

    @property
    def text(self) -> str:
        """Everything there is to read now, follow-ups included."""
        return FAILED if self.failed else "\n".join(one.text for one in self.messages)

    async def wait_for(self, predicate: Callable[["Reply"], object], timeout: float = PATIENCE) -> "Reply":  # noqa: ASYNC109 - a person's patience
        """Wait until the answer is as wanted; NoAnswer says what was there instead."""
        try:
            await self.interactions.bell.until(lambda: bool(predicate(self)), timeout)
        except TimeoutError as error:
            raise NoAnswer(f"After {timeout:g} s the answer still reads: {self.text!r}") from error
        return self

    async def wait_final(self, timeout: float = PATIENCE) -> "Reply":  # noqa: ASYNC109 - likewise
        """Wait until the application is done thinking."""
        return await self.wait_for(lambda reply: not reply.thinking, timeout)

    def _find(self, message_id: int) -> Shown | None:
        found: Message | None = self.interactions.mailbox.find(self.interaction.channel_id, message_id)
        return None if found is None else Shown.of(self.interactions.world, found)

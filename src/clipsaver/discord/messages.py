"""Ordinary messages of the bot, written with its own token: they outlive an interaction's fifteen minutes."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid4

from attrs import define

from clipsaver.discord.rest import NotFound, Priority, Rest, Route
from clipsaver.discord.structuring import has_id, whole

NOBODY: Final[Mapping[str, Any]] = {"parse": []}
"""Allowed mentions: what people wrote never rings anyone."""
NONCE: Final = 25
"""Discord: characters of a nonce."""
CHANNEL: Final = "/channels/{channel_id}/messages"
MESSAGE: Final = "/channels/{channel_id}/messages/{message_id}"


@define(kw_only=True)
class Messages:
    """Sends, reads, edits and deletes messages of a channel."""

    rest: Rest

    async def send(
        self,
        channel_id: int,
        message: Mapping[str, Any],
        *,
        nonce: UUID | None = None,
        priority: Priority = Priority.PEOPLE,
    ) -> int:
        """Send a message and return its id; sent again with the same nonce, Discord answers with the first.

        ``message`` is Discord's own shape: ``content``, ``embeds``, ``components``, ``flags``.
        """
        body = {
            "allowed_mentions": NOBODY,
            **message,
            "nonce": (nonce or uuid4()).hex[:NONCE],
            "enforce_nonce": True,
        }
        answer = await self.rest.request(
            Route("POST", CHANNEL, channel_id=channel_id),
            body=body,
            priority=priority,
            repeatable=True,
            check=has_id,
        )
        return whole(answer.body["id"])

    async def get(self, channel_id: int, message_id: int, *, priority: Priority = Priority.PEOPLE) -> Any:
        """Read one message, in Discord's own shape; raises NotFound when it is gone."""
        answer = await self.rest.request(
            Route("GET", MESSAGE, channel_id=channel_id, message_id=message_id), priority=priority, check=has_id
        )
        return answer.body

    async def edit(
        self, channel_id: int, message_id: int, message: Mapping[str, Any], *, priority: Priority = Priority.PEOPLE
    ) -> None:
        """Replace what ``message`` names; raises NotFound when the message is gone."""
        await self.rest.request(
            Route("PATCH", MESSAGE, channel_id=channel_id, message_id=message_id),
            body={"allowed_mentions": NOBODY, **message},
            priority=priority,
        )

    async def delete(self, channel_id: int, message_id: int, *, priority: Priority = Priority.PEOPLE) -> None:
        """Delete a message; one that is gone already is fine."""
        try:
            await self.rest.request(
                Route("DELETE", MESSAGE, channel_id=channel_id, message_id=message_id), priority=priority
            )
        except NotFound:
            return

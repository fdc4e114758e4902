"""Where interactions' messages live: in the world, or (ephemeral ones) between the bot and one person."""

import re
from collections.abc import Mapping
from typing import Any, Final

from attrs import define, evolve, field

from clipsaver.simulator.entities import Message
from clipsaver.simulator.interactions.bodies import Upload
from clipsaver.simulator.interactions.forms import Refused
from clipsaver.simulator.interactions.messages import EPHEMERAL, LOADING, Draft, Existing
from clipsaver.simulator.uploads import keep_files, with_media
from clipsaver.simulator.world import World

MOST_EPHEMERAL: Final = 2000
_USER: Final = re.compile(r"<@!?(\d+)>")
_ROLE: Final = re.compile(r"<@&(\d+)>")


@define
class Mailbox:
    """Keeps, changes and deletes the messages that answer interactions."""

    world: World
    ephemeral: dict[int, Message] = field(factory=dict, init=False)
    """The newest ephemeral messages; Discord forgets them too."""

    def find(self, channel_id: int, message_id: int) -> Message | None:
        """A message, wherever it lives."""
        history = self.world.histories.get(channel_id)
        return self.ephemeral.get(message_id) or (history.get(message_id) if history else None)

    def send(self, channel_id: int, draft: Draft | None, files: Mapping[int, Upload], **more: Any) -> Message:
        """A new message of the bot's; without a draft it only shows that the bot is thinking."""
        if channel_id not in self.world.histories:
            raise Refused(404, 10003, "Unknown Channel")
        world = self.world
        fields: dict[str, Any] = {"application_id": world.application.id, **more}
        if draft is not None:
            fields |= self._fields(channel_id, draft, files) | {"tts": draft.tts, "poll": draft.poll}
        if not fields["flags"] & EPHEMERAL:
            return world.send_message(channel_id, world.bot_id, **fields)
        message = Message(id=world.new_id(), channel_id=channel_id, author_id=world.bot_id, **fields)
        self._put("MESSAGE_CREATE", message)
        while len(self.ephemeral) > MOST_EPHEMERAL:
            del self.ephemeral[next(iter(self.ephemeral))]
        return message

    def edit(self, message: Message, draft: Draft, files: Mapping[int, Upload]) -> Message:
        """Change a message; one that was thinking no longer is."""
        changes = self._changes(message, draft, files) | {"flags": draft.flags & ~LOADING}
        if message.id not in self.ephemeral:
            return self.world.edit_message(message.channel_id, message.id, **changes)
        edited = evolve(message, **({"edited_at": self.world.now()} | changes))
        self._put("MESSAGE_UPDATE", edited)
        return edited

    def delete(self, message: Message) -> None:
        """Take a message away."""
        if self.ephemeral.pop(message.id, None) is None:
            self.world.delete_message(message.channel_id, message.id)
        else:
            gone = {"id": str(message.id), "channel_id": str(message.channel_id)}
            self.world.emit("MESSAGE_DELETE", gone)

    def _put(self, event: str, message: Message) -> None:
        """Keep an ephemeral message; Discord tells it as a direct one, without guild and member."""
        self.ephemeral[message.id] = message
        payload = self.world.payload_of(message)
        payload["channel_type"] = self.world.channels[message.channel_id].type
        self.world.emit(event, payload)

    def _fields(self, channel_id: int, draft: Draft, files: Mapping[int, Upload]) -> dict[str, Any]:
        held = keep_files(self.world, channel_id, files, draft.attachments or ())
        components, media, rest = with_media(draft.components or (), held, self.world)
        return {
            "content": draft.content or "",
            "embeds": tuple(draft.embeds or ()),
            "components": components,
            "media": media,
            "attachments": rest,
            "flags": draft.flags,
            **mentions(self.world, draft.content or "", draft.allowed_mentions),
        }

    def _changes(self, message: Message, draft: Draft, files: Mapping[int, Upload]) -> dict[str, Any]:
        """What an edit gives anew; what it leaves out stays."""
        shown = tuple(one.attachment for one in message.media if one.attachment is not None)
        held = (*message.attachments, *shown)
        if draft.attachments is not None:
            staying = {int(one["id"]) for one in draft.attachments}
            held = tuple(one for one in held if one.id in staying)
        held += keep_files(self.world, message.channel_id, files, draft.attachments or ())
        changes: dict[str, Any] = {}
        if draft.content is not None:
            changes |= {"content": draft.content, **mentions(self.world, draft.content, draft.allowed_mentions)}
        if draft.embeds is not None:
            changes["embeds"] = tuple(draft.embeds)
        if draft.poll is not None:
            changes["poll"] = draft.poll
        if draft.components is not None:
            changes["components"], changes["media"], held = with_media(draft.components, held, self.world)
            return changes | {"attachments": held}
        return changes | {"attachments": tuple(one for one in held if one not in shown)}


def existing(message: Message) -> Existing:
    """What an edit has to know of a message."""
    files = (*message.attachments, *(one.attachment for one in message.media if one.attachment))
    return Existing(
        content=message.content,
        embeds=len(message.embeds),
        components=len(message.components),
        attachments={one.id: one.filename for one in files},
        flags=message.flags,
    )


def mentions(world: World, content: str, allowed: Mapping[str, Any] | None) -> dict[str, Any]:
    """Whom a text mentions, as far as its sender allows."""
    parse = {"users", "roles", "everyone"} if allowed is None else set(allowed.get("parse") or ())
    listed = {str(one) for name in ("users", "roles") for one in (allowed or {}).get(name) or ()}
    users = [one for one in _USER.findall(content) if int(one) in world.users and ("users" in parse or one in listed)]
    roles = [one for one in _ROLE.findall(content) if "roles" in parse or one in listed]
    return {
        "mentions": tuple(dict.fromkeys(map(int, users))),
        "mention_roles": tuple(dict.fromkeys(map(int, roles))),
        "mention_everyone": "everyone" in parse and re.search(r"@(everyone|here)\b", content) is not None,
    }

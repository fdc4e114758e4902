"""REST: sending, editing and deleting messages."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from aiohttp import web
from attrs import define, evolve, field

from clipsaver.simulator import payloads
from clipsaver.simulator.answers import USER, answer, channel_of, nothing, path_id, refuse
from clipsaver.simulator.drafts import FORWARD, existing, make_poll, read_nonce, read_reference
from clipsaver.simulator.entities import HAS_SNAPSHOT, THREADS, Channel, Message, created_at
from clipsaver.simulator.interactions.bodies import Body, read_body
from clipsaver.simulator.interactions.forms import Form
from clipsaver.simulator.interactions.messages import Draft, read_edit, read_message
from clipsaver.simulator.permissions import Permission
from clipsaver.simulator.uploads import keep_files, kept_embeds, with_media
from clipsaver.simulator.world import World

MENTION: Final = re.compile(r"<@!?(\d{5,20})>")
ROLE_MENTION: Final = re.compile(r"<@&(\d{5,20})>")
NONCE_SECONDS: Final = 300
MOST_NONCES: Final = 5_000
OLDEST_BULK: Final = timedelta(days=14)
DELETABLE: Final = frozenset({0, 6, 7, 8, 9, 10, 11, 12, 18, 19, 20, 22, 23, 24, 25, 26, 27, 28, 29, 31, 32, 46})
"""Message types that can be deleted at all (Discord: Message Types)."""
REPLYABLE: Final = frozenset({0, 19, 20, 23})


@define
class Messages:
    """The routes that change a channel's messages."""

    world: World
    _nonces: OrderedDict[tuple[int, int, str], tuple[float, int]] = field(factory=OrderedDict, init=False)
    """Author, channel and nonce to when and which message."""

    def routes(self) -> list[web.RouteDef]:
        """Routes below ``/api/v10``."""
        one = "/channels/{channel_id}/messages/{message_id}"
        return [
            web.post("/channels/{channel_id}/messages", self.create),
            web.post("/channels/{channel_id}/messages/bulk-delete", self.bulk_delete),
            web.post("/channels/{channel_id}/typing", self.typing),
            web.patch(one, self.edit),
            web.delete(one, self.delete),
        ]

    async def create(self, request: web.Request) -> web.Response:
        """Discord: Create Message."""
        channel = channel_of(self.world, request)
        if channel.id not in self.world.histories:
            refuse(400, 50008, "Cannot send messages in a non-text channel")
        body = read_body(request.headers.get("Content-Type", ""), await request.read())
        reference = read_reference(body.json)
        if reference is not None and reference.get("type") == FORWARD:
            draft = Draft(content="", embeds=None, components=None, attachments=None, flags=HAS_SNAPSHOT)
        else:
            draft = read_message(body.json, body.files)
        self._may_send(request[USER], channel, draft, body)
        self._open(request[USER], channel)
        nonce = read_nonce(body.json)
        if known := self._repeated(request[USER], channel.id, nonce, body.json):
            return answer(payloads.message_payload(known, self.world.links, self.world.user))
        more = self._reference(request, channel, reference) if reference is not None else {}
        message = self._send(request[USER], channel, draft, body, more | {"nonce": nonce})
        self._remember(request[USER], channel.id, nonce, message.id)
        return answer(self.world.payload_of(message))

    async def typing(self, request: web.Request) -> web.Response:
        """Discord: Trigger Typing Indicator."""
        channel = channel_of(self.world, request)
        if channel.id not in self.world.histories:
            refuse(400, 50008, "Cannot send messages in a non-text channel")
        draft = Draft(content="", embeds=None, components=None, attachments=None, flags=0)
        self._may_send(request[USER], channel, draft, Body(json=None))
        told = {"user_id": str(request[USER]), "timestamp": int(self.world.clock()), "channel_id": str(channel.id)}
        guild = {} if channel.guild_id is None else {"guild_id": str(channel.guild_id)}
        self.world.emit("TYPING_START", told | guild, channel.guild_id)
        return nothing()

    async def edit(self, request: web.Request) -> web.Response:
        """Discord: Edit Message."""
        channel = channel_of(self.world, request)
        message = self._message(channel, request)
        body = read_body(request.headers.get("Content-Type", ""), await request.read())
        own = message.author_id == request[USER] and message.webhook_name is None
        manages = self.world.can(request[USER], channel.id, Permission.MANAGE_MESSAGES)
        only_flags = isinstance(body.json, dict) and set(body.json) == {"flags"} and not body.files
        if not own and not (only_flags and manages):
            refuse(403, 50005, "Cannot edit a message authored by another user")
        if channel.thread is not None and channel.thread.archived:
            refuse(400, 50083, "Thread is archived")
        draft = read_edit(body.json, body.files, existing(message))
        changed = self._changes(channel, message, draft, body)
        return answer(self.world.payload_of(self.world.edit_message(channel.id, message.id, **changed)))

    async def delete(self, request: web.Request) -> web.Response:
        """Discord: Delete Message."""
        channel = channel_of(self.world, request)
        message = self._message(channel, request)
        own = message.author_id == request[USER] and message.webhook_name is None
        if not own and not self.world.can(request[USER], channel.id, Permission.MANAGE_MESSAGES):
            refuse(403, 50013, "Missing Permissions")
        if message.type not in DELETABLE:
            refuse(403, 50021, "Cannot execute action on a system message")
        self.world.delete_message(channel.id, message.id)
        return nothing()

    async def bulk_delete(self, request: web.Request) -> web.Response:
        """Discord: Bulk Delete Messages."""
        channel = channel_of(self.world, request)
        if channel.guild_id is None:
            refuse(403, 50003, "Cannot execute action on a DM channel")
        if not self.world.can(request[USER], channel.id, Permission.MANAGE_MESSAGES):
            refuse(403, 50013, "Missing Permissions")
        body = read_body(request.headers.get("Content-Type", ""), await request.read())
        ids = self._bulk_ids(body)
        if any(self.world.now() - created_at(one) > OLDEST_BULK for one in ids):
            refuse(400, 50034, "You can only bulk delete messages that are under 14 days old.")
        self.world.delete_messages(channel.id, ids)
        return nothing()

    def _bulk_ids(self, body: Body) -> list[int]:
        form = Form()
        listed = (form.mapping((), body.json) or {}).get("messages")
        items = form.items(("messages",), listed, most=1 << 20) if listed is not None else []
        if listed is None:
            form.required(("messages",))
        for index, one in enumerate(items):
            if not str(one).isdecimal():
                form.add(("messages", index), "NUMBER_TYPE_COERCE", f'Value "{one}" is not snowflake.')
        if len({str(one) for one in items}) < len(items):
            form.add(("messages",), "SET_TYPE_ALREADY_CONTAINS_VALUE", "The set already contains this value")
        form.check()
        if not 2 <= len(items) <= 100:  # noqa: PLR2004 - Discord's own numbers
            refuse(400, 50016, "You must provide at least 2 and at most 100 messages to delete.")
        return [int(one) for one in items]

    def _message(self, channel: Channel, request: web.Request) -> Message:
        history = self.world.histories.get(channel.id)
        message = history.get(path_id(request, "message_id")) if history else None
        if message is None:
            refuse(404, 10008, "Unknown Message")
        return message

    def _may_send(self, user_id: int, channel: Channel, draft: Draft, body: Body) -> None:
        sending = Permission.SEND_MESSAGES_IN_THREADS if channel.type in THREADS else Permission.SEND_MESSAGES
        wanted = int(sending)
        wanted |= Permission.EMBED_LINKS if draft.embeds else 0
        wanted |= Permission.ATTACH_FILES if body.files else 0
        wanted |= Permission.SEND_TTS_MESSAGES if draft.tts else 0
        if not self.world.can(user_id, channel.id, wanted):
            refuse(403, 50013, "Missing Permissions")

    def _open(self, user_id: int, channel: Channel) -> None:
        """Sending opens an archived thread, unless it is locked."""
        if channel.thread is None or not channel.thread.archived:
            return
        if channel.thread.locked and not self.world.can(user_id, channel.id, Permission.MANAGE_THREADS):
            refuse(400, 160005, "Thread is locked")
        self.world.update_channel(channel.id, archived=False, archive_timestamp=self.world.now())

    def _send(self, user_id: int, channel: Channel, draft: Draft, body: Body, more: Mapping[str, Any]) -> Message:
        files = keep_files(self.world, channel.id, body.files, draft.attachments or ())
        components, media, files = with_media(draft.components or (), files, self.world)
        values: dict[str, Any] = {
            "attachments": files,
            "embeds": kept_embeds(draft.embeds or ()),
            "components": components,
            "media": media,
            "flags": draft.flags,
            "tts": draft.tts,
            "poll": make_poll(draft.poll, self.world),
            "application_id": self.world.application.id,
        }
        values |= self._mentions(user_id, channel, draft.content or "", draft.allowed_mentions)
        return self.world.send_message(channel.id, user_id, content=draft.content or "", **(values | dict(more)))

    def _changes(self, channel: Channel, message: Message, draft: Draft, body: Body) -> dict[str, Any]:
        changes: dict[str, Any] = {"flags": draft.flags}
        if draft.content is not None:
            changes |= {"content": draft.content}
            changes |= self._mentions(message.author_id, channel, draft.content, draft.allowed_mentions)
        if draft.embeds is not None:
            changes["embeds"] = kept_embeds(draft.embeds)
        held = (*message.attachments, *(one.attachment for one in message.media if one.attachment))
        if draft.attachments is not None:
            staying = {int(one["id"]) for one in draft.attachments}
            held = tuple(one for one in held if one.id in staying)
        held += keep_files(self.world, channel.id, body.files, draft.attachments or ())
        if draft.components is not None:
            changes["components"], changes["media"], held = with_media(draft.components, held, self.world)
        else:
            shown = {one.attachment.id for one in message.media if one.attachment}
            held = tuple(one for one in held if one.id not in shown)
        return changes | {"attachments": held}

    def _mentions(
        self, user_id: int, channel: Channel, content: str, allowed: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """Who a text mentions, as far as the sender allows and may."""
        parse = {"users", "roles", "everyone"} if allowed is None else set(allowed.get("parse") or ())
        listed = {name: {str(one) for one in (allowed or {}).get(name) or ()} for name in ("users", "roles")}
        users = [int(one) for one in MENTION.findall(content)]
        roles = [int(one) for one in ROLE_MENTION.findall(content)]
        everyone = bool(re.search(r"@(everyone|here)\b", content)) and "everyone" in parse
        return {
            "mentions": tuple(
                dict.fromkeys(
                    one
                    for one in users
                    if one in self.world.users and ("users" in parse or str(one) in listed["users"])
                )
            ),
            "mention_roles": tuple(
                dict.fromkeys(one for one in roles if "roles" in parse or str(one) in listed["roles"])
            ),
            "mention_everyone": everyone and self.world.can(user_id, channel.id, Permission.MENTION_EVERYONE),
        }

    def _reference(self, request: web.Request, channel: Channel, reference: Mapping[str, Any]) -> dict[str, Any]:
        """A reply or a forward, once what it refers to was found."""
        where = int(reference.get("channel_id") or channel.id)
        forward = reference.get("type") == FORWARD
        form = Form()
        if not forward and where != channel.id:
            form.add(
                ("message_reference",), "REPLIES_CANNOT_REFERENCE_OTHER_CHANNEL", "Cannot reply to another channel"
            )
            form.check()
        readable = where in self.world.channels and self.world.can(
            request[USER], where, Permission.VIEW_CHANNEL | Permission.READ_MESSAGE_HISTORY
        )
        if not readable:
            refuse(403, 160002, "Cannot reply without permission to read message history")
        history = self.world.histories.get(where)
        target = history.get(int(reference["message_id"])) if history else None
        if target is None and not forward and reference.get("fail_if_not_exists") is False:
            return {}
        if target is None:
            form.add(("message_reference",), "REPLIES_UNKNOWN_MESSAGE", "Unknown message")
            form.check()
            return {}
        told = {"type": int(forward), "channel_id": str(where), "message_id": str(target.id)}
        guild_id = self.world.channels[where].guild_id
        told |= {} if guild_id is None else {"guild_id": str(guild_id)}
        if forward:
            return {"reference": told, "forwarded": target.forwarded or target}
        if target.type not in REPLYABLE:
            form.add(
                ("message_reference",), "REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE", "Cannot reply to a system message"
            )
            form.check()
        return {"type": 19, "reference": told}

    def _repeated(self, user_id: int, channel_id: int, nonce: str | int | None, body: Any) -> Message | None:
        """The message this one repeats, if its nonce is enforced and was used in the past minutes."""
        if nonce is None or body.get("enforce_nonce") is not True:
            return None
        sent, message_id = self._nonces.get((user_id, channel_id, str(nonce)), (0.0, 0))
        if self.world.clock() - sent > NONCE_SECONDS:
            return None
        message = self.world.histories[channel_id].get(message_id)
        return None if message is None else evolve(message, nonce=nonce)

    def _remember(self, user_id: int, channel_id: int, nonce: str | int | None, message_id: int) -> None:
        if nonce is not None:
            self._nonces[user_id, channel_id, str(nonce)] = (self.world.clock(), message_id)
            while len(self._nonces) > MOST_NONCES:
                self._nonces.popitem(last=False)

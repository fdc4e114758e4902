"""Interactions through hikari: who asks and where, and answers that outlive slowness, doubles and lost tokens."""

import asyncio
import contextlib
from collections.abc import Awaitable, Mapping, MutableMapping, Sequence
from typing import Any, Final, Self

import aiohttp
import hikari
import lightbulb
import structlog
from attrs import define, field, frozen

from clipsaver.discord.access import Access
from clipsaver.discord.components import Component, Reply
from clipsaver.discord.here import Here, Place, granted
from clipsaver.discord.permissions import NONE, Permission
from clipsaver.discord.rest import Forbidden, NotFound, Priority
from clipsaver.errors import BadInput, NotAllowed

log = structlog.get_logger("clipsaver.discord.interactions")

UNKNOWN_WEBHOOK: Final = 10015
UNKNOWN_INTERACTION: Final = 10062
ALREADY_ACKNOWLEDGED: Final = 40060
INVALID_WEBHOOK_TOKEN: Final = 50027
"""Discord: JSON Error Codes."""
MESSAGE_LENGTH: Final = 2000
"""Discord: characters of a message."""
GONE: Final = frozenset({UNKNOWN_WEBHOOK, UNKNOWN_INTERACTION, INVALID_WEBHOOK_TOKEN})

MESSAGE_CHANNELS: Final = (
    hikari.ChannelType.GUILD_TEXT,
    hikari.ChannelType.GUILD_VOICE,
    hikari.ChannelType.GUILD_NEWS,
    hikari.ChannelType.GUILD_NEWS_THREAD,
    hikari.ChannelType.GUILD_PUBLIC_THREAD,
    hikari.ChannelType.GUILD_PRIVATE_THREAD,
    hikari.ChannelType.GUILD_STAGE,
)
"""Channels that hold messages themselves."""
READ_CHANNELS: Final = (*MESSAGE_CHANNELS, hikari.ChannelType.GUILD_FORUM, hikari.ChannelType.GUILD_MEDIA)
"""Channels whose messages, or whose threads' messages, can be read."""

Answerable = hikari.CommandInteraction | hikari.ComponentInteraction


class InteractionLost(Exception):
    """Nobody waits for this answer any more: its three seconds, or its fifteen minutes, are over."""


def moderators_group(name: str, description: str) -> lightbulb.Group:
    """Return a command group for servers only, shown to members who manage theirs unless it says otherwise there."""
    return lightbulb.Group(
        name,
        description,
        contexts=(hikari.ApplicationContextType.GUILD,),
        default_member_permissions=hikari.Permissions.MANAGE_GUILD,
    )


def channel_option(
    description: str, types: Sequence[hikari.ChannelType] = MESSAGE_CHANNELS
) -> hikari.PartialChannel | None:
    """Return a command's option that names a channel, threads included; left out, it is where the command is used."""
    return lightbulb.channel("channel", description, default=None, channel_types=list(types))


def here_of(interaction: Answerable | hikari.AutocompleteInteraction) -> Here:
    """Return who asks and where; NotAllowed outside of servers."""
    member = interaction.member
    if interaction.guild_id is None or member is None:
        raise NotAllowed("That only works in a server.")
    return Here(
        guild_id=int(interaction.guild_id),
        user_id=int(interaction.user.id),
        role_ids=tuple(int(role_id) for role_id in member.role_ids),
        place=Place(
            channel_id=int(interaction.channel.id),
            type=int(interaction.channel.type),
            permissions=granted(int(member.permissions)),
        ),
        bot_permissions=granted(int(interaction.app_permissions or 0)),
    )


def place_of(here: Here, option: hikari.PartialChannel | None) -> Place:
    """Return the channel that was named, with what the person may do there; here when none was."""
    if option is None:
        return here.place
    permissions = option.permissions if isinstance(option, hikari.InteractionChannel) else hikari.Permissions.NONE
    return Place(channel_id=int(option.id), type=int(option.type), permissions=granted(int(permissions)))


async def bot_permissions(access: Access, here: Here, place: Place) -> Permission:
    """Return what the bot may do in a place; nothing where Discord doesn't even show it the channel."""
    if place.channel_id == here.place.channel_id:
        return here.bot_permissions
    try:
        # Fresh: whoever is told what is missing grants it, and asks again at once.
        return (await access.of_bot(place.channel_id, fresh=True, priority=Priority.PEOPLE)).permissions
    except (Forbidden, NotFound):
        return NONE


@frozen
class PlainComponent(hikari.api.ComponentBuilder):
    """A component that is already in Discord's own shape."""

    payload: Component

    @property
    def type(self) -> int:
        """Discord: Component Types."""
        return int(self.payload["type"])

    @property
    def id(self) -> hikari.UndefinedType:
        """Left to Discord."""
        return hikari.UNDEFINED

    def build(self) -> tuple[MutableMapping[str, Any], Sequence[hikari.files.Resource[Any]]]:
        """Return the component as it is; ours bring no files."""
        return dict(self.payload), ()


@define
class Talk:
    """One interaction's answer, from the first sign of life to the last edit; only the person who asked sees it."""

    interaction: Answerable
    _begun: asyncio.Event = field(factory=asyncio.Event)
    """Set once Discord has a first answer."""

    @classmethod
    def of(cls, ctx: lightbulb.Context) -> Self:
        """Return the talk of a command, wherever it stands."""
        return cls(ctx.interaction, ctx.initial_response_sent)

    async def defer(self) -> None:
        """Say within the three seconds that an answer is coming; raises InteractionLost when they are over."""
        if not self._begun.is_set():
            await self._begin(hikari.ResponseType.DEFERRED_MESSAGE_CREATE, flags=hikari.MessageFlag.EPHEMERAL)

    async def defer_update(self) -> None:
        """Say within the three seconds that the message whose button was pressed will change."""
        if not self._begun.is_set():
            await self._begin(hikari.ResponseType.DEFERRED_MESSAGE_UPDATE)

    async def answer(self, reply: Reply) -> None:
        """Give the answer; a later one takes its place. Raises InteractionLost when it can't be given any more."""
        content = reply.content[:MESSAGE_LENGTH]
        components = [PlainComponent(component) for component in reply.components]
        if not self._begun.is_set():
            await self._begin(
                hikari.ResponseType.MESSAGE_CREATE,
                content,
                flags=hikari.MessageFlag.EPHEMERAL,
                components=components,
            )
            return
        await _arrives(
            self.interaction.edit_initial_response(
                content,
                components=components,
                mentions_everyone=False,
                user_mentions=False,
                role_mentions=False,
            )
        )

    async def _begin(self, kind: hikari.ResponseType, content: Any = hikari.UNDEFINED, **options: Any) -> None:
        await _arrives(
            self.interaction.create_initial_response(
                kind,  # type: ignore[arg-type]  # each kind of interaction takes the kinds used here
                content,
                mentions_everyone=False,
                user_mentions=False,
                role_mentions=False,
                **options,
            )
        )
        self._begun.set()


async def _arrives(call: Awaitable[object]) -> None:
    """Wait until Discord has an answer; that hikari can't read what Discord says to it is no failure."""
    try:
        await call
    except hikari.ClientHTTPResponseError as error:
        if error.code == ALREADY_ACKNOWLEDGED:
            return
        if error.code in GONE or isinstance(error, hikari.NotFoundError):
            raise InteractionLost from error
        raise
    except hikari.HTTPError as error:
        # Without a cause, hikari complains of the form of a success.
        if isinstance(error, hikari.HTTPResponseError) or error.__cause__ is not None:
            raise
        log.debug("interaction.echo_unreadable", exc_info=True)
    except (AssertionError, LookupError, TypeError, ValueError, aiohttp.ClientPayloadError):
        log.debug("interaction.echo_unreadable", exc_info=True)


async def arrive(ctx: lightbulb.Context, option: hikari.PartialChannel | None = None) -> tuple[Talk, Here, Place]:
    """Say that an answer is coming, and return its talk, who asks, and the channel that is meant."""
    talk = Talk.of(ctx)
    await talk.defer()
    here = here_of(ctx.interaction)
    if option is None and any(given.type == hikari.OptionType.CHANNEL for given in ctx.options):
        raise BadInput("I can't see which channel you mean.")
    return talk, here, place_of(here, option)


async def suggest(ctx: lightbulb.AutocompleteContext[str], choices: Mapping[str, str]) -> None:
    """Offer up to 25 values by name; that nobody waits for them any more is no failure."""
    with contextlib.suppress(InteractionLost):
        await _arrives(ctx.respond(choices))

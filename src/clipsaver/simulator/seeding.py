"""Draws a whole world from a seed."""

import base64
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Final, TypeVar

from attrs import define, field, frozen

from clipsaver.simulator import entities as kinds
from clipsaver.simulator.entities import (
    Application,
    Channel,
    Guild,
    Member,
    Overwrite,
    Role,
    ThreadState,
    User,
    snowflake_at,
)
from clipsaver.simulator.history import History, Slots, mix
from clipsaver.simulator.past import Past
from clipsaver.simulator.permissions import EVERYONE_DEFAULT, Permission

if TYPE_CHECKING:
    from clipsaver.simulator.world import World

W = TypeVar("W", bound="World")

FOUNDED: Final = datetime(2016, 3, 1, tzinfo=UTC)
LATEST: Final = datetime(2025, 6, 1, tzinfo=UTC)
"""Generated pasts end here, so that a seed gives the same world whenever it is made."""
INTENTS: Final = 1 << 19 | 1 << 15
"""Application flags: MESSAGE_CONTENT and GUILD_MEMBERS, in their form for small bots."""
BOT_PERMISSIONS: Final = int(
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.SEND_MESSAGES_IN_THREADS
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.CONNECT
)
MODERATOR_PERMISSIONS: Final = int(
    Permission.MANAGE_GUILD | Permission.MANAGE_MESSAGES | Permission.MANAGE_CHANNELS | Permission.MANAGE_THREADS
)
NAMES: Final = [
    "ada",
    "bruno",
    "chika",
    "dmitri",
    "elif",
    "farid",
    "greta",
    "hana",
    "ivo",
    "june",
    "kofi",
    "lina",
    "mateo",
    "nadia",
    "oskar",
    "priya",
    "quinn",
    "rosa",
    "sven",
    "tariq",
    "uma",
    "vera",
    "wren",
    "ximena",
    "yuki",
    "zane",
]
CHANNEL_NAMES: Final = ("clips", "highlights", "general", "memes", "replays", "off-topic", "tournament", "showcase")


@frozen(kw_only=True)
class Plan:
    """How big a world is to be."""

    seed: int
    guilds: int = 1
    channels: int = 1
    """Text channels with a past, in each guild."""
    messages: int = 1000
    """Messages in each of those channels."""
    one_more: int = 0
    """How many of those channels, the first ones, have one message more."""
    videos_percent: float = 10.0
    """How many of a hundred messages hold clips."""
    members: int = 24
    """People in each guild."""
    extras: bool = False
    """Whether each guild also has a channel of every other type: voice, announcement, stage, forum, threads …"""
    extra_messages: int = 120
    message_content: bool = True
    """Whether the application has the MESSAGE_CONTENT intent."""


@define(kw_only=True)
class _Draft:
    """A world while it is being drawn."""

    plan: Plan
    chance: Random
    world: "World"
    bots: list[int] = field(factory=list)
    ordinal: int = 0
    _ids: int = 0

    def snowflake(self, moment: datetime) -> int:
        """An id of about that moment, above all drawn before in the same millisecond."""
        self._ids += 1
        return snowflake_at(moment) + (self._ids & 0x3FFFFF)

    def user(self, *, bot: bool = False) -> int:
        """A new user, signed up some time before the guilds were founded."""
        own_id = self.snowflake(FOUNDED - timedelta(seconds=self.chance.randrange(30_000_000)))
        number = len(self.world.users)
        name = f"{self.chance.choice(NAMES)}{'bot' if bot else ''}{number}"
        self.world.users[own_id] = User(
            id=own_id,
            username=name,
            global_name=None if bot or number % 5 == 0 else name.title(),
            avatar=f"{self.chance.getrandbits(128):032x}" if number % 3 else None,
            bot=bot,
            discriminator=f"{number % 10_000:04d}" if bot else "0",
        )
        return own_id


def build(cls: type[W], plan: Plan) -> W:
    """Draw a world."""
    chance = Random(plan.seed)
    owner = snowflake_at(FOUNDED - timedelta(days=90)) + 1
    bot = snowflake_at(FOUNDED - timedelta(days=30)) + 2
    secret = f"{mix(plan.seed):016x}{mix(plan.seed + 1):016x}"
    token = f"{base64.b64encode(str(bot).encode()).decode().rstrip('=')}.Gsimul.{secret}"
    world = cls(
        seed=plan.seed,
        application=Application(
            id=bot,
            name="clipsaver",
            bot_id=bot,
            owner_id=owner,
            flags=INTENTS if plan.message_content else 0,
            verify_key=f"{mix(plan.seed + 2):016x}" * 4,
            description="Saves clips",
        ),
        tokens={token: bot},
    )
    world.users[owner] = User(id=owner, username="operator", global_name="The Operator")
    world.users[bot] = User(id=bot, username="clipsaver", bot=True, discriminator="0042")
    draft = _Draft(plan=plan, chance=chance, world=world)
    draft.bots = [draft.user(bot=True) for _ in range(3)]
    for number in range(plan.guilds):
        _guild(draft, number)
    return world


def _guild(draft: _Draft, number: int) -> None:
    world, founded = draft.world, FOUNDED + timedelta(days=number)
    guild_id = draft.snowflake(founded)
    people = [draft.user() for _ in range(max(draft.plan.members, 4))]
    mods = Role(id=draft.snowflake(founded), name="Moderators", permissions=MODERATOR_PERMISSIONS, position=2)
    own = Role(
        id=draft.snowflake(founded),
        name="clipsaver",
        permissions=BOT_PERMISSIONS,
        position=3,
        managed=True,
        bot_id=world.bot_id,
    )
    everyone = Role(id=guild_id, name="@everyone", permissions=EVERYONE_DEFAULT)
    fans = Role(id=draft.snowflake(founded), name="Fans", position=1, color=0xE67E22, hoist=True, mentionable=True)
    guild = Guild(
        id=guild_id,
        name=f"Guild {number} of {draft.chance.choice(NAMES).title()}",
        owner_id=people[0],
        icon=None if number % 4 == 3 else f"{draft.chance.getrandbits(128):032x}",  # noqa: PLR2004 - one in four
        features=["COMMUNITY"] if draft.plan.extras else [],
        roles={role.id: role for role in (everyone, mods, fans, own)},
    )
    for place, user_id in enumerate((*people[:-1], *draft.bots, world.bot_id)):
        roles = [mods.id] if place in {1, 2} else [fans.id] if place % 3 == 0 else []
        joined = founded + timedelta(days=place, seconds=draft.chance.randrange(86_400))
        guild.members[user_id] = Member(
            user_id=user_id, joined_at=joined, roles=[own.id] if user_id == world.bot_id else roles
        )
    world.guilds[guild_id] = guild
    # The last of the people wrote here and has left since: authors need not be members.
    _channels(draft, guild, tuple(people))


def _channels(draft: _Draft, guild: Guild, people: tuple[int, ...]) -> None:
    founded = kinds.created_at(guild.id)
    category = Channel(id=draft.snowflake(founded), guild_id=guild.id, type=kinds.CATEGORY, name="Talk", position=0)
    draft.world.add_channel(category)
    for number in range(draft.plan.channels):
        base = CHANNEL_NAMES[number % len(CHANNEL_NAMES)]
        name = base if number < len(CHANNEL_NAMES) else f"{base}-{number // len(CHANNEL_NAMES) + 1}"
        channel = Channel(
            id=draft.snowflake(founded + timedelta(minutes=number)),
            guild_id=guild.id,
            name=name,
            position=number,
            parent_id=category.id,
        )
        draft.world.add_channel(
            channel, _past(draft, channel, people, draft.plan.messages + (number < draft.plan.one_more))
        )
    if draft.plan.extras:
        _extras(draft, guild, people)


def _past(draft: _Draft, channel: Channel, people: tuple[int, ...], count: int) -> History:
    """A past of that many messages, at a pace that fits between the channel's beginning and the latest moment."""
    draft.ordinal += 1
    began = int(kinds.created_at(channel.id).timestamp() * 1000) + 60_000
    latest = int(LATEST.timestamp() * 1000)
    seed = mix(mix(draft.plan.seed) ^ draft.ordinal)
    step = max(1000, min((latest - began) // max(count, 1), 20_000 + seed % 40_000))
    slots = Slots(seed=seed, ordinal=draft.ordinal, count=count, start_ms=latest - count * step, step_ms=step)
    past = Past(
        channel_id=channel.id,
        guild_id=channel.guild_id,
        slots=slots,
        people=people,
        bots=tuple(draft.bots),
        webhook_id=draft.snowflake(FOUNDED),
        videos_percent=draft.plan.videos_percent,
    )
    return History(slots=slots, author=past)


def _extras(draft: _Draft, guild: Guild, people: tuple[int, ...]) -> None:
    """One channel of every other type, an age-restricted and a hidden one, and threads of all kinds."""
    world, founded = draft.world, kinds.created_at(guild.id)
    hidden = Overwrite(id=guild.id, type=0, deny=int(Permission.VIEW_CHANNEL))
    made: dict[str, Channel] = {}
    rows = (
        ("news", kinds.ANNOUNCEMENT, False),
        ("Lounge", kinds.VOICE, False),
        ("Stage", kinds.STAGE, False),
        ("questions", kinds.FORUM, False),
        ("gallery", kinds.MEDIA, False),
        ("after-dark", kinds.TEXT, True),
        ("staff", kinds.TEXT, False),
    )
    for number, (name, kind, nsfw) in enumerate(rows):
        channel = Channel(
            id=draft.snowflake(founded + timedelta(days=1, minutes=number)),
            guild_id=guild.id,
            name=name,
            type=kind,
            nsfw=nsfw,
            position=draft.plan.channels + number,
            overwrites={guild.id: hidden} if name == "staff" else {},
            tags=[(draft.snowflake(founded), name) for name in ("help", "done") if kind in kinds.FORUMS],
        )
        made[name] = channel
        history = None if kind in kinds.WITHOUT_MESSAGES else _past(draft, channel, people, draft.plan.extra_messages)
        world.add_channel(channel, history)
    text = world.channels_of(guild.id)[1].id if draft.plan.channels else made["staff"].id
    for number, (parent, kind, archived) in enumerate(
        (
            (text, kinds.PUBLIC_THREAD, False),
            (text, kinds.PUBLIC_THREAD, True),
            (text, kinds.PUBLIC_THREAD, True),
            (text, kinds.PRIVATE_THREAD, False),
            (text, kinds.PRIVATE_THREAD, True),
            (made["news"].id, kinds.ANNOUNCEMENT_THREAD, True),
            (made["questions"].id, kinds.PUBLIC_THREAD, False),
            (made["questions"].id, kinds.PUBLIC_THREAD, True),
            (made["gallery"].id, kinds.PUBLIC_THREAD, False),
            (made["after-dark"].id, kinds.PUBLIC_THREAD, False),
        )
    ):
        _thread(draft, world.channels[parent], kind, number, people, archived=archived)


def _thread(draft: _Draft, parent: Channel, kind: int, number: int, people: tuple[int, ...], *, archived: bool) -> None:
    opened = FOUNDED + timedelta(days=400, hours=number)
    owner = people[number % (len(people) - 1)]
    members = {owner: opened, people[1]: opened + timedelta(minutes=1)}
    if kind == kinds.PRIVATE_THREAD and number % 2 == 0:
        members[draft.world.bot_id] = opened + timedelta(minutes=2)
    thread = Channel(
        id=draft.snowflake(opened),
        guild_id=parent.guild_id,
        type=kind,
        name=f"thread {number}",
        parent_id=parent.id,
        thread=ThreadState(
            owner_id=owner,
            archived=archived,
            archive_timestamp=LATEST + timedelta(minutes=number // 2),
            members=members,
            applied_tags=[parent.tags[0][0]] if parent.tags else [],
        ),
    )
    draft.world.add_channel(thread, _past(draft, thread, people, draft.plan.extra_messages))

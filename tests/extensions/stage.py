"""A server on a simulated Discord, known to a real database, with the services the doors are handed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from attrs import frozen

from clipsaver.channels.service import Channels
from clipsaver.channels.viewers.service import Viewers
from clipsaver.clips.picturing.service import Pictures
from clipsaver.clips.saving.service import Saving
from clipsaver.discord.access import Access
from clipsaver.discord.messages import Messages
from clipsaver.discord.rest import Rest
from clipsaver.discord.snapshots import structure_guild
from clipsaver.guilds.service import Guilds
from clipsaver.postgres.pool import Pool
from clipsaver.scans.model import Rescan, Run, ScanRequest
from clipsaver.scans.service import Scans
from clipsaver.simulator.entities import FORUM, PUBLIC_THREAD, TEXT, VOICE
from clipsaver.simulator.permissions import Permission
from clipsaver.simulator.server import Simulator
from clipsaver.simulator.world import World

VIEW = int(Permission.VIEW_CHANNEL)
HISTORY = int(Permission.READ_MESSAGE_HISTORY)
SEND = int(Permission.SEND_MESSAGES)


@frozen(kw_only=True)
class Stage:
    """Everything a test of a door looks at."""

    simulator: Simulator
    pool: Pool
    rest: Rest
    guild_id: int
    lobby: int
    """Where people talk to the bot."""
    clips: int
    secret: int
    """Only the bot and the owner see it."""
    voice: int
    forum: int
    thread: int
    """In ``clips``."""
    moderator: int
    member: int
    owner: int

    @property
    def world(self) -> World:
        """What there is."""
        return self.simulator.world

    @property
    def scans(self) -> Scans:
        """The scans."""
        return Scans(pool=self.pool, defaults={})

    @property
    def saving(self) -> Saving:
        """The clips' bytes."""
        return Saving(pool=self.pool)

    @property
    def pictures(self) -> Pictures:
        """Their pictures."""
        return Pictures(pool=self.pool)

    @property
    def channels(self) -> Channels:
        """The channels."""
        return Channels(pool=self.pool, defaults={})

    @property
    def guilds(self) -> Guilds:
        """The guilds."""
        return Guilds(pool=self.pool, defaults={})

    @property
    def viewers(self) -> Viewers:
        """Who sees what."""
        return Viewers(pool=self.pool)

    @property
    def access(self) -> Access:
        """What the bot may do."""
        return Access(rest=self.rest, bot_id=self.world.bot_id)

    @property
    def messages(self) -> Messages:
        """The bot's ordinary messages."""
        return Messages(rest=self.rest)

    async def know(self) -> None:
        """Write what Discord says of the guild into the database, as its events would."""
        guild = structure_guild(self.world.guild_payload(self.guild_id))
        await self.guilds.seen([guild])
        await self.channels.seen(self.guild_id, (*guild.channels, *guild.threads), complete=True)

    async def begin(self, channel_id: int | None = None, **changes: Any) -> Run:
        """Queue a scan as the moderator would."""
        request: dict[str, Any] = {
            "guild_id": self.guild_id,
            "channel_id": channel_id or self.clips,
            "requested_by": self.moderator,
            "rescan": Rescan.CONTINUE,
            "progress_channel_id": self.lobby,
        }
        return (await self.scans.start(ScanRequest(**(request | changes)))).run

    async def set_run(self, run: Run, **columns: Any) -> None:
        """Let a run be as a worker would have made it."""
        async with self.pool.acquire() as conn:
            for name, value in columns.items():
                await conn.execute(f"update bot_channel_scan_runs set {name} = $2 where id = $1", run.id, value)  # noqa: S608 - a test's own column names

    async def find_clips(self, channel_id: int, *states: str, reason: str | None = None) -> None:
        """Let clips have been found in a channel, one in each of these states."""
        async with self.pool.acquire() as conn:
            for state in states:
                message_id = self.world.new_id()
                await conn.execute(
                    "insert into messages (message_id, channel_id, guild_id, posted_at) values ($1, $2, $3, now())",
                    *(message_id, channel_id, self.guild_id),
                )
                await conn.execute(
                    "insert into clips (clip_id, message_id, channel_id, guild_id, filename, url, state, reason_code) "
                    "values ($1::bigint || '-e0', $1, $2, $3, 'x.mp4', 'https://x', $4, $5)",
                    *(message_id, channel_id, self.guild_id, state, None if state in {"pending", "stored"} else reason),
                )

    async def clip_states(self, channel_id: int) -> list[str]:
        """Return the states of a channel's clips, oldest first."""
        rows = await self.pool.fetch(
            "select state::text from clips where channel_id = $1 order by message_id", channel_id
        )
        return [row["state"] for row in rows]

    def said(self, channel_id: int | None = None) -> list[Any]:
        """Return the bot's messages in a channel, oldest first."""
        history = self.world.histories[channel_id or self.lobby].changed()
        return [m for _, m in sorted(history.items()) if m.author_id == self.world.bot_id]


@asynccontextmanager
async def staged(simulator: Simulator, pool: Pool) -> AsyncIterator[Stage]:
    """Furnish a simulator's only guild, and make it known."""
    world = simulator.world
    (guild,) = world.guilds.values()
    everyone = guild.roles[guild.id]
    world.set_role_permissions(guild.id, guild.id, everyone.permissions | VIEW | HISTORY | SEND)
    role = world.create_role(guild.id, "watch", int(Permission.MANAGE_GUILD))
    people = {name: world.add_user(name).id for name in ("moderator", "member")}
    world.add_member(guild.id, people["moderator"], [role.id])
    world.add_member(guild.id, people["member"])
    made = {
        name: world.create_channel(guild.id, name, kind).id
        for name, kind in (("lobby", TEXT), ("clips", TEXT), ("secret", TEXT), ("voice", VOICE), ("forum", FORUM))
    }
    world.set_overwrite(made["secret"], guild.id, deny=VIEW)
    world.set_overwrite(made["secret"], world.bot_id, allow=VIEW, member=True)
    thread = world.create_thread(made["clips"], "thread", PUBLIC_THREAD, owner_id=people["moderator"]).id
    async with Rest(token=simulator.token, url=simulator.rest_url) as rest:
        stage = Stage(
            simulator=simulator,
            pool=pool,
            rest=rest,
            guild_id=guild.id,
            owner=guild.owner_id,
            thread=thread,
            **people,
            **made,
        )
        await stage.know()
        yield stage

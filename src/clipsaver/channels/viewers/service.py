"""Who sees which channel, for the doors."""

from collections.abc import Sequence

from attrs import frozen

from clipsaver.channels.model import Channel
from clipsaver.channels.viewers import store
from clipsaver.channels.viewers.model import Ground, permissions_in, type_number
from clipsaver.discord.here import Here, Place
from clipsaver.discord.permissions import Permission
from clipsaver.discord.snapshots import RoleSnapshot
from clipsaver.guilds import store as guilds_store
from clipsaver.postgres.pool import Pool


@frozen(kw_only=True)
class Viewers:
    """What the members who ask may see of their server."""

    pool: Pool

    async def visible(self, here: Here, channels: Sequence[Channel]) -> Sequence[Channel]:
        """Return those of the channels that the person who asks can see, in the same order."""
        places = await self._places(here, channels)
        return [
            channel
            for channel, place in zip(channels, places, strict=True)
            if Permission.VIEW_CHANNEL in place.permissions
        ]

    async def place(self, here: Here, channel: Channel) -> Place:
        """Return a channel with what the person who asks may do there."""
        (place,) = await self._places(here, [channel])
        return place

    async def _places(self, here: Here, channels: Sequence[Channel]) -> Sequence[Place]:
        """Believe Discord about where the person is and about administrators; work out everything else."""
        ground = None
        if Permission.ADMINISTRATOR not in here.place.permissions:
            ground = await self._ground(here.guild_id)
        places = []
        for channel in channels:
            if ground is None or channel.channel_id == here.place.channel_id:
                permissions = here.place.permissions
            else:
                permissions = permissions_in(channel, ground, member_id=here.user_id, role_ids=here.role_ids)
            places.append(Place(channel_id=channel.channel_id, type=type_number(channel), permissions=permissions))
        return places

    async def _ground(self, guild_id: int) -> Ground:
        async with self.pool.acquire() as conn:
            guild = await guilds_store.get_guild(conn, guild_id)
            roles = await guilds_store.get_roles(conn, guild_id)
            overwrites = await store.get_overwrites_of_guild(conn, guild_id)
        return Ground(
            guild_id=guild_id,
            owner_id=None if guild is None else guild.owner_user_id,
            roles=tuple(
                RoleSnapshot(id=role.role_id, name=role.name, permissions=role.permissions, position=role.position)
                for role in roles
            ),
            overwrites=overwrites,
        )

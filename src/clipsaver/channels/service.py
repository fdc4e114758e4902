"""Channels, for the doors: those that were seen, those that are gone, which are read, and their own settings."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog
from attrs import frozen

from clipsaver.channels import store
from clipsaver.channels.model import READABLE_TYPES, Channel, SettingsLayers, in_order, is_thread_type
from clipsaver.discord.snapshots import ChannelSnapshot
from clipsaver.discord.snowflakes import created_at
from clipsaver.errors import BadInput, NotThere
from clipsaver.guilds.settings import (
    Settings,
    SettingsView,
    SettingView,
    parse,
    reset_keys,
    resolve,
    setting_of,
    view,
)
from clipsaver.guilds.store import add_audit
from clipsaver.postgres.pool import Connection, Pool, in_transaction

log = structlog.get_logger("clipsaver.channels")

BATCH = 2_000
"""Channels in one transaction; a guild's are never divided."""
NOT_THERE = "I don't know that channel."


@frozen(kw_only=True)
class GuildChannels:
    """What Discord said of one guild's channels."""

    guild_id: int
    channels: Sequence[ChannelSnapshot]
    """Threads may be among them."""
    complete: bool
    """Whether these are all: then others that are known have vanished, but for threads."""


@frozen(kw_only=True)
class Channels:
    """The channels of the servers the bot is in."""

    pool: Pool
    defaults: Mapping[str, Any]
    """``guild_defaults`` of the configuration, checked."""

    async def seen(self, guild_id: int, channels: Iterable[ChannelSnapshot], *, complete: bool) -> None:
        """Write what Discord said of a guild's channels; nothing is written where nothing changed."""
        await self.seen_in([GuildChannels(guild_id=guild_id, channels=tuple(channels), complete=complete)])

    async def seen_in(self, guilds: Iterable[GuildChannels]) -> None:
        """Write what Discord said of many guilds' channels, in few transactions."""
        batch: list[GuildChannels] = []
        for guild in guilds:
            batch.append(guild)
            if sum(len(one.channels) for one in batch) >= BATCH:
                await self._write(batch)
                batch = []
        if batch:
            await self._write(batch)

    async def changed(self, channels: Iterable[ChannelSnapshot]) -> None:
        """Write channels that are new or have changed; those without a guild are no business of ours."""
        of: dict[int, list[ChannelSnapshot]] = {}
        for channel in channels:
            if channel.guild_id is not None:
                of.setdefault(channel.guild_id, []).append(channel)
        await self.seen_in(
            GuildChannels(guild_id=guild_id, channels=tuple(some), complete=False) for guild_id, some in of.items()
        )

    async def gone(self, guild_id: int, channel_id: int) -> frozenset[int]:
        """Delete a channel with its threads and what was found in them; return what was there."""
        gone = await in_transaction(self.pool, lambda conn: store.delete_channels(conn, guild_id, [channel_id]))
        for deleted in sorted(gone):
            log.info("channel.deleted", guild_id=str(guild_id), channel_id=str(deleted))
        return gone

    async def activity(self, latest: Mapping[int, int]) -> None:
        """Remember each channel's newest message, given by its id, as the time of its last activity."""
        times: dict[int, datetime] = {channel_id: created_at(message_id) for channel_id, message_id in latest.items()}
        if times:
            await in_transaction(self.pool, lambda conn: store.touch_activity(conn, times))

    async def list(self, guild_id: int) -> Sequence[Channel]:
        """List a guild's channels in the order in which Discord shows them."""
        async with self.pool.acquire() as conn:
            return in_order(await store.get_channels_by_guild(conn, guild_id))

    async def get(self, guild_id: int, channel_id: int) -> Channel:
        """Return a channel of a guild; NotThere if it is not known."""
        async with self.pool.acquire() as conn:
            return await _get(conn, guild_id, channel_id)

    async def set_reading(self, guild_id: int, channel_id: int, *, on: bool, by: int) -> Channel:
        """Switch reading of a channel and its threads; BadInput where there can be no messages."""

        async def work(conn: Connection) -> tuple[Channel, frozenset[int]]:
            channel = await _get(conn, guild_id, channel_id)
            if on and not channel.can_be_read:
                kind = (channel.type or "channel").replace("_", " ")
                raise BadInput(f"{channel.label} is a {kind}: no messages can be in it, so there is nothing to read.")
            changed = await store.set_channel_reading(conn, guild_id, channel_id, on=on)
            if changed:
                details = {"channel_id": str(channel_id), "on": on}
                await add_audit(conn, guild_id, by=by, action="reading.set", details=details)
            return await _get(conn, guild_id, channel_id), changed

        channel, changed = await in_transaction(self.pool, work)
        if changed:
            log.info("reading.set", guild_id=str(guild_id), channel_id=str(channel_id), on=on, by=str(by))
        return channel

    async def set_reading_all(
        self,
        guild_id: int,
        *,
        on: bool,
        by: int,
        only: Collection[int] | None = None,
    ) -> int:
        """Switch reading of all of a guild's channels, or of those named, with their threads; count what changed.

        Switching on leaves out categories and directories. Threads are not counted: they follow their channel.
        """

        async def work(conn: Connection) -> int:
            count = await store.set_reading_of(conn, guild_id, on=on, readable=READABLE_TYPES, only=only)
            if count:
                details = {"channels": count, "on": on}
                await add_audit(conn, guild_id, by=by, action="reading.set_all", details=details)
            return count

        count = await in_transaction(self.pool, work)
        log.info("reading.set_all", guild_id=str(guild_id), channels=count, on=on, by=str(by))
        return count

    async def rules_for(self, channel_id: int) -> Settings:
        """Return the values that hold in a channel: its own, over its server's, over the defaults. Or NotThere."""
        async with self.pool.acquire() as conn:
            layers = await store.get_channel_settings(conn, channel_id)
        if layers is None:
            raise NotThere(NOT_THERE)
        return resolve(self.defaults, layers.guild, layers.channel)

    async def view(self, guild_id: int, channel_id: int) -> SettingsView:
        """Tell for each setting what holds in a channel, whose word it is, and what is stored that can't be used."""
        async with self.pool.acquire() as conn:
            layers = await _layers(conn, guild_id, channel_id)
        return view(self.defaults, layers.guild, layers.channel)

    async def set_setting(self, guild_id: int, channel_id: int, key: str, text: str, *, by: int) -> SettingView:
        """Let a channel have its own value, as a person typed it; BadInput says what is allowed."""
        key = key.strip().lower()
        value = parse(key, text)
        if setting_of(key).server_only:
            raise BadInput(f"{key} holds for the whole server; a channel can't have its own.")

        async def work(conn: Connection) -> SettingsLayers:
            await _get(conn, guild_id, channel_id)
            await store.update_channel_settings(conn, guild_id, channel_id, {key: value})
            details = {"channel_id": str(channel_id), "key": key, "value": value}
            await add_audit(conn, guild_id, by=by, action="settings.set", details=details)
            return await _layers(conn, guild_id, channel_id)

        layers = await in_transaction(self.pool, work)
        log.info("settings.set", guild_id=str(guild_id), channel_id=str(channel_id), key=key, by=str(by))
        return view(self.defaults, layers.guild, layers.channel).values[key]

    async def reset_setting(self, guild_id: int, channel_id: int, key: str | None, *, by: int) -> tuple[str, ...]:
        """Let a channel's own value, or with None all of them, fall back to the server's; return what that changed."""

        async def work(conn: Connection) -> tuple[str, ...]:
            layers = await _layers(conn, guild_id, channel_id)
            before = view(self.defaults, layers.guild, layers.channel)
            keys, changed = reset_keys(key, before, layers.own)
            if keys:
                await store.drop_channel_settings(conn, guild_id, channel_id, keys)
                details = {"channel_id": str(channel_id), "keys": list(keys)}
                await add_audit(conn, guild_id, by=by, action="settings.reset", details=details)
            return changed

        changed = await in_transaction(self.pool, work)
        if changed:
            where = {"guild_id": str(guild_id), "channel_id": str(channel_id)}
            log.info("settings.reset", **where, keys=list(changed), by=str(by))
        return changed

    async def _write(self, guilds: Sequence[GuildChannels]) -> None:
        gone = await in_transaction(self.pool, lambda conn: _write(conn, guilds))
        for channel_id in sorted(gone):
            log.info("channel.vanished", channel_id=str(channel_id))


async def _write(conn: Connection, guilds: Sequence[GuildChannels]) -> frozenset[int]:
    """Write channels, then their overwrites, then delete what a complete list does not name."""
    pairs = [(guild.guild_id, channel) for guild in guilds for channel in guild.channels]
    await store.upsert_channels_for_guilds(conn, pairs)
    # Threads have no overwrites of their own.
    with_overwrites = {channel.id: channel for _, channel in pairs if not is_thread_type(channel.type)}
    overwrites = [
        (channel.id, overwrite) for channel in with_overwrites.values() for overwrite in channel.permission_overwrites
    ]
    await store.upsert_overwrites(conn, overwrites)
    await store.delete_other_overwrites(
        conn, with_overwrites, [(channel_id, overwrite.id) for channel_id, overwrite in overwrites]
    )
    complete = [guild for guild in guilds if guild.complete]
    if not complete:
        return frozenset()
    present = [channel.id for guild in complete for channel in guild.channels]
    return await store.delete_other_channels(conn, [guild.guild_id for guild in complete], present)


async def _get(conn: Connection, guild_id: int, channel_id: int) -> Channel:
    channel = await store.get_channel(conn, channel_id)
    if channel is None or channel.guild_id != guild_id:
        raise NotThere(NOT_THERE)
    return channel


async def _layers(conn: Connection, guild_id: int, channel_id: int) -> SettingsLayers:
    layers = await store.get_channel_settings(conn, channel_id)
    if layers is None or layers.guild_id != guild_id:
        raise NotThere(NOT_THERE)
    return layers

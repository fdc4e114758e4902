"""Guilds, for the doors: those that were seen, those that are gone, and their settings."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import structlog
from attrs import frozen

from clipsaver.discord.snapshots import GuildSnapshot, RoleSnapshot, UserSnapshot
from clipsaver.errors import NotThere
from clipsaver.guilds import store
from clipsaver.guilds.model import Guild, GuildRole, Shard
from clipsaver.guilds.settings import Settings, SettingsView, SettingView, parse, reset_keys, resolve, view
from clipsaver.people.store import ensure_users, upsert_users
from clipsaver.postgres.pool import Connection, Pool, in_transaction

log = structlog.get_logger("clipsaver.guilds")

BATCH = 100
"""Guilds in one transaction."""


@frozen(kw_only=True)
class Guilds:
    """The servers the bot is in."""

    pool: Pool
    defaults: Mapping[str, Any]
    """``guild_defaults`` of the configuration, checked."""

    async def seen(self, guilds: Iterable[GuildSnapshot], owners: Iterable[UserSnapshot] = ()) -> frozenset[int]:
        """Write what Discord said of guilds: themselves, owners, roles, settings if they have none. Return new ones.

        Owners are named by the snapshots; whoever of them is known better comes in ``owners``.
        """
        latest = {guild.id: guild for guild in guilds}
        known = {owner.id: owner for owner in owners}
        ordered = [latest[guild_id] for guild_id in sorted(latest)]
        new: set[int] = set()
        for start in range(0, len(ordered), BATCH):
            batch = ordered[start : start + BATCH]
            new |= await in_transaction(self.pool, lambda conn, batch=batch: self._write(conn, batch, known))  # type: ignore[misc]
        for guild_id in sorted(new):
            log.info("guild.new", guild_id=str(guild_id))
        return frozenset(new)

    async def left(self, guild_id: int) -> bool:
        """Delete a guild with everything in it but its settings; tell whether it was there."""
        return bool(await self._delete([guild_id], "guild.left"))

    async def reconcile(self, present: Collection[int], shard: Shard | None = None) -> frozenset[int]:
        """Delete the guilds that a session carries no more, given all that it does; return them."""
        shard = shard or Shard()
        async with self.pool.acquire() as conn:
            stored = shard.of(await store.guild_ids(conn))
        return await self._delete(sorted(stored.difference(present)), "guild.vanished")

    async def role_changed(self, guild_id: int, role: RoleSnapshot) -> None:
        """Write a role that is new or has changed; nothing happens in a guild that is not known."""
        async with self.pool.acquire() as conn:
            await store.upsert_roles(conn, [(guild_id, role)])

    async def role_gone(self, guild_id: int, role_id: int) -> None:
        """Delete a role."""
        async with self.pool.acquire() as conn:
            await store.delete_role(conn, guild_id, role_id)

    async def touch(self, guild_id: int) -> None:
        """Remember that a guild was seen just now."""
        async with self.pool.acquire() as conn:
            await store.touch_guild(conn, guild_id)

    async def get(self, guild_id: int) -> Guild:
        """Return one guild; NotThere if the bot is not in it."""
        async with self.pool.acquire() as conn:
            guild = await store.get_guild(conn, guild_id)
        if guild is None:
            raise NotThere("I don't know that server.")
        return guild

    async def roles(self, guild_id: int) -> Sequence[GuildRole]:
        """List a guild's roles, the highest first."""
        async with self.pool.acquire() as conn:
            return await store.get_roles(conn, guild_id)

    async def settings_of(self, guild_id: int) -> Settings:
        """Return the values that hold in a guild; the defaults in one that was never seen."""
        return resolve(self.defaults, await self._stored(guild_id))

    async def view(self, guild_id: int) -> SettingsView:
        """Tell for each setting what holds, whose word it is, and what is stored that can't be used."""
        return view(self.defaults, await self._stored(guild_id))

    async def set_setting(self, guild_id: int, key: str, text: str, *, by: int) -> SettingView:
        """Take what a person typed as a setting's value; BadInput says what is allowed. Return what holds now."""
        key = key.strip().lower()
        value = parse(key, text)

        async def work(conn: Connection) -> Mapping[str, Any]:
            await store.ensure_guild_settings(conn, [guild_id], self.defaults)
            stored = await store.update_guild_settings(conn, guild_id, {key: value})
            await store.add_audit(conn, guild_id, by=by, action="settings.set", details={"key": key, "value": value})
            return stored or {}

        stored = await in_transaction(self.pool, work)
        log.info("settings.set", guild_id=str(guild_id), key=key, by=str(by))
        return view(self.defaults, stored).values[key]

    async def reset_setting(self, guild_id: int, key: str | None, *, by: int) -> tuple[str, ...]:
        """Let a setting, or with None all of them, fall back to the defaults; return those that were otherwise."""

        async def work(conn: Connection) -> tuple[str, ...]:
            stored = await store.get_guild_settings(conn, guild_id) or {}
            keys, changed = reset_keys(key, view(self.defaults, stored), stored)
            if keys:
                await store.drop_guild_settings(conn, guild_id, keys)
                await store.add_audit(conn, guild_id, by=by, action="settings.reset", details={"keys": list(keys)})
            return changed

        changed = await in_transaction(self.pool, work)
        if changed:
            log.info("settings.reset", guild_id=str(guild_id), keys=list(changed), by=str(by))
        return changed

    async def _stored(self, guild_id: int) -> Mapping[str, Any]:
        async with self.pool.acquire() as conn:
            return await store.get_guild_settings(conn, guild_id) or {}

    async def _write(
        self,
        conn: Connection,
        guilds: Sequence[GuildSnapshot],
        known: Mapping[int, UserSnapshot],
    ) -> frozenset[int]:
        """Write one batch: guilds are locked first, as everywhere, then people."""
        ids = [guild.id for guild in guilds]
        owner_ids = {guild.owner_id for guild in guilds if guild.owner_id is not None}
        await store.lock_guilds(conn, ids)
        await upsert_users(conn, [known[owner_id] for owner_id in owner_ids if owner_id in known])
        await ensure_users(conn, owner_ids.difference(known))
        new = await store.upsert_guilds(conn, guilds)
        await store.upsert_roles(conn, ((guild.id, role) for guild in guilds for role in guild.roles))
        # Every guild has @everyone: one without roles was not told whole, and neither was one with an odd part.
        whole = [guild for guild in guilds if guild.roles and not guild.odd]
        await store.delete_other_roles(
            conn, [guild.id for guild in whole], [role.id for guild in whole for role in guild.roles]
        )
        await store.ensure_guild_settings(conn, ids, self.defaults)
        return new

    async def _delete(self, guild_ids: Sequence[int], event: str) -> frozenset[int]:
        if not guild_ids:
            return frozenset()
        gone = await in_transaction(self.pool, lambda conn: store.delete_guilds(conn, guild_ids))
        for guild_id in sorted(gone):
            log.info(event, guild_id=str(guild_id))
        return gone

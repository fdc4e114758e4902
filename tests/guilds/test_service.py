"""Tests of guilds: written, reconciled, left, and their settings."""

from typing import Any

import pytest

from clipsaver.discord.snapshots import UserSnapshot
from clipsaver.errors import BadInput, NotThere
from clipsaver.guilds import service, store
from clipsaver.guilds.model import GuildRole, Shard
from clipsaver.guilds.service import Guilds
from clipsaver.guilds.settings import Settings
from clipsaver.postgres.pool import Pool
from tests.guilds.build import guild, role

DEFAULTS = {"min_video_seconds": 2, "scan_mode": "forward"}


@pytest.fixture
def guilds(pool: Pool) -> Guilds:
    """The service, with defaults of the operator's."""
    return Guilds(pool=pool, defaults=DEFAULTS)


async def stored(pool: Pool, guild_id: int) -> Any:
    """What is stored as a guild's settings."""
    return await pool.fetchval("select settings from guild_settings where guild_id = $1", guild_id)


async def audit(pool: Pool) -> list[tuple[Any, ...]]:
    """Who changed what, oldest first."""
    rows = await pool.fetch("select guild_id, actor_user_id, action, details from audit order by id")
    return [tuple(row) for row in rows]


async def test_a_guild_is_written_with_its_owner_roles_and_settings(guilds: Guilds, pool: Pool) -> None:
    """The icon as its address."""
    said = guild(1, name="One", icon="a_f00", owner_id=7, roles=(role(1), role(11, permissions=1 << 40, position=3)))
    assert await guilds.seen([said], [UserSnapshot(id=7, username="ann"), UserSnapshot(id=8)]) == {1}
    found = await guilds.get(1)
    assert (found.name, found.owner_user_id) == ("One", 7)
    assert found.icon == "https://cdn.discordapp.com/icons/1/a_f00.gif"
    assert [tuple(row) for row in await pool.fetch("select discord_user_id, username from users")] == [(7, "ann")]
    assert list(await guilds.roles(1)) == [
        GuildRole(role_id=11, guild_id=1, name="role 11", permissions=1 << 40, position=3),
        GuildRole(role_id=1, guild_id=1, name="role 1", permissions=0),
    ]
    assert await stored(pool, 1) == DEFAULTS


async def test_an_owner_may_be_unknown_or_known_by_id_alone(guilds: Guilds, pool: Pool) -> None:
    """What was known of owners before stays."""
    await guilds.seen([guild(1, owner_id=7), guild(2, owner_id=None), guild(3, owner_id=7)])
    assert [(await guilds.get(number)).owner_user_id for number in (1, 2, 3)] == [7, None, 7]
    await guilds.seen([guild(1, owner_id=None)])
    assert (await guilds.get(1)).owner_user_id == 7
    assert await pool.fetchval("select count(*) from users") == 1


async def test_seeing_a_guild_again_changes_what_changed(guilds: Guilds) -> None:
    """Vanished roles go; when it was seen and when it was joined are kept apart."""
    await guilds.seen([guild(1, roles=(role(1), role(11), role(12)))])
    before = await guilds.get(1)
    assert await guilds.seen([guild(1, name="Renamed", roles=(role(1), role(12, name="mods")))]) == frozenset()
    after = await guilds.get(1)
    assert (after.name, after.joined_at) == ("Renamed", before.joined_at)
    assert before.last_seen_at is not None
    assert after.last_seen_at is not None
    assert after.last_seen_at > before.last_seen_at
    assert {found.role_id: found.name for found in await guilds.roles(1)} == {1: "role 1", 12: "mods"}


async def test_roles_that_were_not_told_whole_do_not_vanish(guilds: Guilds) -> None:
    """An odd part of a payload must not delete anything."""
    await guilds.seen([guild(1, roles=(role(1), role(11)))])
    await guilds.seen([guild(1, roles=())])
    await guilds.seen([guild(1, roles=(role(1),), odd=("roles[1].id: missing",))])
    assert len(await guilds.roles(1)) == 2


async def test_roles_that_have_not_changed_are_not_written(guilds: Guilds, pool: Pool) -> None:
    """Their rows keep their versions."""
    await guilds.seen([guild(1, roles=(role(1), role(11)))])
    before = await pool.fetch("select role_id, xmin::text from roles order by role_id")
    await guilds.seen([guild(1, roles=(role(1), role(11)))])
    assert await pool.fetch("select role_id, xmin::text from roles order by role_id") == before


async def test_saved_settings_are_never_overwritten(guilds: Guilds, pool: Pool) -> None:
    """Not when the guild is seen again, and not when the bot comes back to it."""
    await pool.execute('insert into guild_settings (guild_id, settings) values (1, \'{"prefix": "?"}\')')
    await guilds.seen([guild(1), guild(2)])
    assert await stored(pool, 1) == {"prefix": "?"}
    assert await guilds.left(1)
    await guilds.seen([guild(1)])
    assert await stored(pool, 1) == {"prefix": "?"}
    assert await stored(pool, 2) == DEFAULTS


async def test_many_guilds_are_written_in_batches(guilds: Guilds, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two snapshots of one guild the later counts."""
    monkeypatch.setattr(service, "BATCH", 2)
    new = await guilds.seen([guild(number) for number in (5, 3, 1, 2, 4)] + [guild(3, name="Three")])
    assert new == {1, 2, 3, 4, 5}
    assert (await guilds.get(3)).name == "Three"
    assert await pool.fetchval("select count(*) from guild_settings") == 5


async def test_leaving_deletes_everything_but_the_settings(guilds: Guilds, pool: Pool) -> None:
    """And says whether there was anything."""
    await guilds.seen([guild(1)])
    await pool.execute("insert into bot_channels (channel_id, guild_id) values (10, 1)")
    assert await guilds.left(1)
    assert not await guilds.left(1)
    for table in ("bot_guilds", "bot_channels", "roles"):
        assert await pool.fetchval(f"select count(*) from {table}") == 0  # noqa: S608 - our own names
    assert await stored(pool, 1) == DEFAULTS
    with pytest.raises(NotThere):
        await guilds.get(1)


async def test_guilds_that_vanished_are_deleted(guilds: Guilds) -> None:
    """Those the session still carries stay."""
    await guilds.seen([guild(1), guild(2), guild(3)])
    assert await guilds.reconcile({1, 3, 9}) == {2}
    assert await guilds.reconcile({1, 3}) == frozenset()


async def test_a_session_answers_for_its_own_guilds_only(guilds: Guilds) -> None:
    """Discord: (guild_id >> 22) % shards."""
    first, second = 2 << 22, 3 << 22
    await guilds.seen([guild(first), guild(second)])
    assert await guilds.reconcile((), Shard(id=1, count=2)) == {second}
    assert (await guilds.get(first)).guild_id == first


async def test_roles_change_one_by_one_too(guilds: Guilds) -> None:
    """In a guild that is not known nothing happens."""
    await guilds.seen([guild(1, roles=(role(1),))])
    await guilds.role_changed(1, role(11, permissions=8))
    await guilds.role_changed(1, role(11, permissions=16))
    await guilds.role_changed(2, role(22))
    assert {found.role_id: found.permissions for found in await guilds.roles(1)} == {1: 0, 11: 16}
    await guilds.role_gone(2, 11)
    await guilds.role_gone(1, 11)
    assert [found.role_id for found in await guilds.roles(1)] == [1]


async def test_a_guild_can_be_touched(guilds: Guilds) -> None:
    """It was seen just now."""
    await guilds.seen([guild(1)])
    before = (await guilds.get(1)).last_seen_at
    await guilds.touch(1)
    after = (await guilds.get(1)).last_seen_at
    assert before is not None
    assert after is not None
    assert after > before


async def test_settings_hold_over_the_defaults(guilds: Guilds) -> None:
    """Those of a guild that was never seen are the defaults."""
    await guilds.seen([guild(1)])
    await guilds.set_setting(1, "min_video_seconds", "5", by=7)
    assert (await guilds.settings_of(1)).min_video_seconds == 5
    assert await guilds.settings_of(9) == Settings(min_video_seconds=2, scan_mode="forward")


async def test_a_setting_is_merged_into_the_rest(guilds: Guilds, pool: Pool) -> None:
    """What others stored there stays, and who did it is remembered."""
    await guilds.seen([guild(1)])
    await pool.execute("update guild_settings set settings = settings || '{\"volume\": 3}'")
    changed = await guilds.set_setting(1, " Video_Formats ", ".MP4, mov", by=7)
    assert (changed.value, changed.source, changed.text) == (("mp4", "mov"), "server", "mp4, mov")
    assert await stored(pool, 1) == DEFAULTS | {"volume": 3, "video_formats": ["mp4", "mov"]}
    details = {"key": "video_formats", "value": ["mp4", "mov"]}
    assert await audit(pool) == [(1, 7, "settings.set", details)]
    assert (await guilds.view(1)).unknown == ("volume",)


async def test_a_setting_that_cannot_be_used_changes_nothing(guilds: Guilds, pool: Pool) -> None:
    """Neither its value nor its name."""
    await guilds.seen([guild(1)])
    for key, text in (("scan_nsfw", "perhaps"), ("volume", "3")):
        with pytest.raises(BadInput):
            await guilds.set_setting(1, key, text, by=7)
    assert await stored(pool, 1) == DEFAULTS
    assert await audit(pool) == []


async def test_settings_outlive_the_guild(guilds: Guilds, pool: Pool) -> None:
    """They can even be set while it is away; there is just nobody to audit."""
    await guilds.set_setting(1, "scan_nsfw", "on", by=7)
    assert await stored(pool, 1) == DEFAULTS | {"scan_nsfw": True}
    assert await audit(pool) == []


async def test_a_setting_falls_back_to_the_default(guilds: Guilds, pool: Pool) -> None:
    """Only what made a difference is told, and a second time there is nothing."""
    await guilds.seen([guild(1)])
    await guilds.set_setting(1, "scan_nsfw", "on", by=7)
    assert await guilds.reset_setting(1, "scan_nsfw", by=8) == ("scan_nsfw",)
    assert await guilds.reset_setting(1, "scan_nsfw", by=8) == ()
    assert await guilds.reset_setting(9, None, by=8) == ()
    with pytest.raises(BadInput):
        await guilds.reset_setting(1, "volume", by=8)
    assert await stored(pool, 1) == DEFAULTS
    assert (await audit(pool))[1:] == [(1, 8, "settings.reset", {"keys": ["scan_nsfw"]})]


async def test_all_settings_fall_back_at_once(guilds: Guilds, pool: Pool) -> None:
    """Unknown keys go too, and defaults that were copied are no loss."""
    await guilds.seen([guild(1)])
    await guilds.set_setting(1, "scan_nsfw", "on", by=7)
    await pool.execute("update guild_settings set settings = settings || '{\"volume\": 3}'")
    assert set(await guilds.reset_setting(1, None, by=7)) == {"scan_nsfw", "volume"}
    assert await stored(pool, 1) == {}
    assert await guilds.settings_of(1) == Settings(min_video_seconds=2, scan_mode="forward")


async def test_store_functions_work_alone(pool: Pool) -> None:
    """One guild, a replacement of its settings, and guilds that have none."""
    async with pool.acquire() as conn:
        assert await store.upsert_guild(conn, guild(1, owner_id=None))
        assert not await store.upsert_guild(conn, guild(1, owner_id=None))
        assert await store.get_guild_settings(conn, 1) is None
        assert await store.update_guild_settings(conn, 1, {"prefix": "?"}) is None
        await store.set_guild_settings(conn, 1, {"prefix": "!"})
        await store.set_guild_settings(conn, 1, {"scan_nsfw": True})
        assert await store.update_guild_settings(conn, 1, {"prefix": "?"}) == {"scan_nsfw": True, "prefix": "?"}
        assert await store.ensure_guild_settings(conn, [1, 2], {}) == {2}
        assert await store.delete_guilds(conn, []) == frozenset()
        await store.upsert_roles(conn, [])

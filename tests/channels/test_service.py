"""Tests of channels: written where they changed, deleted, read or not, and their own settings."""

from typing import Any

import pytest

from clipsaver.channels import service, store
from clipsaver.channels.service import Channels, GuildChannels
from clipsaver.discord.snowflakes import created_at
from clipsaver.errors import BadInput, NotThere
from clipsaver.guilds.service import Guilds
from clipsaver.guilds.settings import Settings
from clipsaver.postgres.pool import Pool
from clipsaver.postgres.ranges import IdRange
from tests.channels.build import (
    CATEGORY,
    DIRECTORY,
    FORUM,
    PRIVATE_THREAD,
    THREAD,
    VOICE,
    channel,
    overwrite,
    thread,
)
from tests.guilds.build import guild

EARLY, LATE = 1 << 40, 2 << 40


@pytest.fixture
async def channels(pool: Pool) -> Channels:
    """The service, in two guilds without channels."""
    await Guilds(pool=pool, defaults={"min_video_seconds": 2}).seen([guild(1), guild(2)])
    return Channels(pool=pool, defaults={"min_video_seconds": 2})


async def ids(channels: Channels, guild_id: int = 1) -> set[int]:
    """The channels that are known of a guild."""
    return {found.channel_id for found in await channels.list(guild_id)}


async def reading(channels: Channels) -> set[int]:
    """The channels of guild 1 that are read."""
    return {found.channel_id for found in await channels.list(1) if found.is_reading}


async def row_versions(pool: Pool) -> list[tuple[Any, ...]]:
    """The versions of all rows of channels and overwrites."""
    rows = await pool.fetch(
        "select channel_id, 0 as target_id, xmin::text, updated_at::text from bot_channels "
        "union all select channel_id, target_id, xmin::text, '' from channel_overwrites order by 1, 2"
    )
    return [tuple(row) for row in rows]


async def test_a_channel_is_written_with_what_discord_said(channels: Channels) -> None:
    """Its type by name, and its last message as a time."""
    await channels.seen(
        1, [channel(10, name="clips", nsfw=True, parent_id=4, position=3, last_message_id=LATE)], complete=True
    )
    found = await channels.get(1, 10)
    assert (found.name, found.type, found.is_nsfw, found.parent_id, found.position) == ("clips", "text", True, 4, 3)
    assert found.last_activity_at == created_at(LATE)
    assert found.last_message_id is None
    assert (found.is_reading, found.settings, found.coverage, found.label) == (False, {}, (), "#clips")


async def test_channels_of_every_type_are_kept(channels: Channels) -> None:
    """Also of types that nobody knows yet."""
    await channels.seen(1, [channel(number, number) for number in (0, 2, 4, 5, 10, 13, 14, 15, 16, 77)], complete=True)
    types = {found.channel_id: found.type for found in await channels.list(1)}
    assert (types[5], types[16], types[77]) == ("announcement", "media", "type_77")


async def test_what_is_ours_is_never_touched_by_a_sync(channels: Channels, pool: Pool) -> None:
    """Reading, settings, coverage, counters and what scans wrote."""
    await channels.seen(1, [channel(10)], complete=True)
    await pool.execute(
        "update bot_channels set is_reading = true, settings = '{\"scan_nsfw\": true}', coverage = '{[5,9)}', "
        "stale = '{[1,3)}', rules_hash = 'abc', message_count = 7, last_message_id = 6, has_gaps = false"
    )
    await channels.seen(1, [channel(10, name="renamed", position=5)], complete=True)
    found = await channels.get(1, 10)
    assert (found.name, found.is_reading, found.settings) == ("renamed", True, {"scan_nsfw": True})
    assert (found.coverage, found.stale) == ((IdRange(5, 9),), (IdRange(1, 3),))
    assert (found.rules_hash, found.message_count, found.last_message_id, found.has_gaps) == ("abc", 7, 6, False)


async def test_nothing_is_written_where_nothing_changed(channels: Channels, pool: Pool) -> None:
    """Every row keeps its version."""
    said = [channel(10, last_message_id=LATE, permission_overwrites=(overwrite(1, deny=1024),)), channel(11, VOICE)]
    await channels.seen(1, said, complete=True)
    before = await row_versions(pool)
    await channels.seen(1, said, complete=True)
    await channels.seen(1, [channel(10, last_message_id=EARLY, permission_overwrites=(overwrite(1, deny=1024),))],
                        complete=False)  # fmt: skip
    assert await row_versions(pool) == before


async def test_the_time_of_activity_is_never_lowered(channels: Channels) -> None:
    """By whomever it is told, and however late."""
    await channels.seen(1, [channel(10, last_message_id=LATE), channel(11)], complete=True)
    await channels.seen(1, [channel(10, name="other", last_message_id=EARLY)], complete=False)
    await channels.activity({10: EARLY, 11: EARLY, 99: LATE})
    await channels.activity({})
    assert (await channels.get(1, 10)).last_activity_at == created_at(LATE)
    assert (await channels.get(1, 11)).last_activity_at == created_at(EARLY)
    await channels.activity({11: LATE})
    assert (await channels.get(1, 11)).last_activity_at == created_at(LATE)


async def test_overwrites_are_replaced(channels: Channels, pool: Pool) -> None:
    """New, changed, vanished; of this channel only."""
    first = (overwrite(1, deny=1024), overwrite(7, member=True, allow=1 << 40), overwrite(3))
    await channels.seen(
        1, [channel(10, permission_overwrites=first), channel(11, permission_overwrites=first)], complete=True
    )
    second = (overwrite(1, deny=2048), overwrite(3), overwrite(5, allow=8))
    await channels.changed([channel(10, permission_overwrites=second)])
    async with pool.acquire() as conn:
        assert await store.get_overwrites(conn, 10) == second
        assert set(await store.get_overwrites(conn, 11)) == set(first)


async def test_channels_that_vanished_are_deleted(channels: Channels) -> None:
    """With their threads; threads that are merely not listed stay, and so do other guilds' channels."""
    await channels.seen(1, [channel(10), channel(11), thread(20, 10), thread(21, 11), thread(22, None)], complete=True)
    await channels.seen(2, [channel(30, guild_id=2)], complete=True)
    await channels.seen(1, [channel(10), channel(12)], complete=True)
    assert await ids(channels) == {10, 12, 20, 22}
    assert await ids(channels, 2) == {30}


async def test_an_incomplete_list_deletes_nothing(channels: Channels) -> None:
    """An odd channel must not make others vanish."""
    await channels.seen(1, [channel(10), channel(11)], complete=True)
    await channels.seen(1, [channel(10)], complete=False)
    await channels.seen_in([])
    assert await ids(channels) == {10, 11}


async def test_channels_without_a_type_are_reconciled_too(channels: Channels, pool: Pool) -> None:
    """Rows of older programs may have none."""
    await pool.execute("insert into bot_channels (channel_id, guild_id) values (10, 1), (11, 1)")
    await channels.seen(1, [channel(10)], complete=True)
    assert await ids(channels) == {10}


async def test_channels_of_unknown_guilds_are_left_out(channels: Channels) -> None:
    """The guild may just have been left; and direct messages are no business of ours."""
    await channels.changed([channel(10, guild_id=9), channel(11, guild_id=None), channel(12, guild_id=2)])
    assert (await ids(channels, 9), await ids(channels, 2)) == (set(), {12})


async def test_many_guilds_are_written_in_batches(channels: Channels, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guild's channels are never divided."""
    monkeypatch.setattr(service, "BATCH", 2)
    await channels.seen_in(
        GuildChannels(
            guild_id=number,
            channels=[channel(10 * number + place, guild_id=number) for place in range(3)],
            complete=True,
        )
        for number in (1, 2)
    )
    await channels.seen(2, [channel(20, guild_id=2)], complete=False)
    assert (await ids(channels), await ids(channels, 2)) == ({10, 11, 12}, {20, 21, 22})


async def test_a_deleted_channel_takes_its_threads_along(channels: Channels) -> None:
    """A category leaves its channels behind."""
    await channels.seen(1, [channel(4, CATEGORY), channel(10, parent_id=4), thread(20, 10), channel(11)], complete=True)
    assert await channels.gone(1, 4) == {4}
    assert await channels.gone(2, 10) == frozenset()
    assert await channels.gone(1, 10) == {10, 20}
    assert await ids(channels) == {11}


async def test_a_channel_of_another_guild_is_not_there(channels: Channels) -> None:
    """A moderator of one guild learns nothing of another."""
    await channels.seen(2, [channel(30, guild_id=2)], complete=True)
    for find in (channels.get(1, 30), channels.view(1, 30), channels.set_reading(1, 30, on=True, by=7)):
        with pytest.raises(NotThere):
            await find
    with pytest.raises(NotThere):
        await channels.set_setting(1, 30, "scan_nsfw", "on", by=7)
    with pytest.raises(NotThere):
        await channels.reset_setting(1, 30, None, by=7)
    assert not (await channels.get(2, 30)).is_reading


async def test_reading_is_switched_with_the_threads(channels: Channels, pool: Pool) -> None:
    """Once is enough: a second time is no change, and not written down."""
    await channels.seen(1, [channel(10), thread(20, 10), channel(11), thread(21, 11)], complete=True)
    assert (await channels.set_reading(1, 10, on=True, by=7)).is_reading
    assert (await channels.set_reading(1, 10, on=True, by=7)).is_reading
    assert await reading(channels) == {10, 20}
    assert not (await channels.set_reading(1, 10, on=False, by=8)).is_reading
    assert await reading(channels) == set()
    rows = await pool.fetch("select actor_user_id, action, details from audit order by id")
    assert [tuple(row) for row in rows] == [
        (7, "reading.set", {"channel_id": "10", "on": True}),
        (8, "reading.set", {"channel_id": "10", "on": False}),
    ]


async def test_a_new_thread_follows_its_channel(channels: Channels) -> None:
    """But keeps its own switch once it has one."""
    await channels.seen(1, [channel(10), channel(11)], complete=True)
    await channels.set_reading(1, 10, on=True, by=7)
    await channels.changed([thread(20, 10), thread(21, 11), thread(22, 10, PRIVATE_THREAD)])
    await channels.set_reading(1, 20, on=False, by=7)
    await channels.changed([thread(20, 10)])
    assert await reading(channels) == {10, 22}


@pytest.mark.parametrize(("kind", "name"), [(CATEGORY, "category"), (DIRECTORY, "directory"), (77, "type 77")])
async def test_what_holds_no_messages_cannot_be_read(channels: Channels, kind: int, name: str) -> None:
    """It can still be switched off, should it ever have been on."""
    await channels.seen(1, [channel(10, kind, name="info")], complete=True)
    with pytest.raises(BadInput) as refused:
        await channels.set_reading(1, 10, on=True, by=7)
    assert str(refused.value) == f"#info is a {name}: no messages can be in it, so there is nothing to read."
    assert not (await channels.set_reading(1, 10, on=False, by=7)).is_reading


async def test_all_readable_channels_are_switched_at_once(channels: Channels) -> None:
    """Threads follow and are not counted; what holds no messages is left out."""
    await channels.seen(
        1,
        [
            channel(4, CATEGORY),
            channel(10),
            channel(11, VOICE),
            channel(12, FORUM),
            channel(13, DIRECTORY),
            thread(20, 12),
            thread(21, 99, THREAD),
        ],
        complete=False,
    )
    await channels.set_reading(1, 10, on=True, by=7)
    assert await channels.set_reading_all(1, on=True, by=7) == 2
    assert await reading(channels) == {10, 11, 12, 20}
    assert await channels.set_reading_all(1, on=True, by=7) == 0
    assert await channels.set_reading_all(1, on=False, by=7) == 3
    assert await reading(channels) == set()


async def test_only_the_channels_named_are_switched(channels: Channels) -> None:
    """Those that the person can see, say."""
    await channels.seen(1, [channel(10), thread(20, 10), channel(11), thread(21, 11), channel(4, CATEGORY)],
                        complete=True)  # fmt: skip
    assert await channels.set_reading_all(1, on=True, by=7, only=[10, 4]) == 1
    assert await reading(channels) == {10, 20}
    assert await channels.set_reading_all(1, on=False, by=7, only=[11]) == 0


async def test_a_channels_settings_lie_over_its_servers(channels: Channels, pool: Pool) -> None:
    """And a thread's over its channel's."""
    await channels.seen(1, [channel(10), thread(20, 10)], complete=True)
    await Guilds(pool=pool, defaults={}).set_setting(1, "scan_nsfw", "on", by=7)
    changed = await channels.set_setting(1, 10, "Min_Video_Seconds", "5", by=7)
    assert (changed.value, changed.source, changed.inherited) == (5, "channel", 2)
    await channels.set_setting(1, 20, "scan_nsfw", "off", by=7)
    assert await channels.rules_for(10) == Settings(min_video_seconds=5, scan_nsfw=True)
    assert await channels.rules_for(20) == Settings(min_video_seconds=5, scan_nsfw=False)
    shown = (await channels.view(1, 10)).values
    assert [shown[key].source for key in ("min_video_seconds", "scan_nsfw", "save_bytes")] == [
        "channel",
        "server",
        "default",
    ]
    with pytest.raises(NotThere):
        await channels.rules_for(99)


async def test_a_channels_setting_falls_back_to_the_servers(channels: Channels, pool: Pool) -> None:
    """One of them or all; who did it is remembered."""
    await channels.seen(1, [channel(10)], complete=True)
    for key, text in (("min_video_seconds", "5"), ("scan_nsfw", "on"), ("save_bytes", "yes")):
        await channels.set_setting(1, 10, key, text, by=7)
    assert await channels.reset_setting(1, 10, "scan_nsfw", by=8) == ("scan_nsfw",)
    assert await channels.reset_setting(1, 10, "scan_nsfw", by=8) == ()
    assert (await channels.get(1, 10)).settings == {"min_video_seconds": 5, "save_bytes": True}
    assert await channels.reset_setting(1, 10, None, by=8) == ("min_video_seconds",)
    assert (await channels.get(1, 10)).settings == {}
    rows = await pool.fetch("select details from audit where actor_user_id = 8 order by id")
    assert [row["details"] for row in rows] == [
        {"channel_id": "10", "keys": ["scan_nsfw"]},
        {"channel_id": "10", "keys": ["min_video_seconds", "save_bytes"]},
    ]


async def test_some_settings_are_the_servers_alone(channels: Channels) -> None:
    """And what cannot be used is refused here too."""
    await channels.seen(1, [channel(10)], complete=True)
    with pytest.raises(BadInput, match="storage_quota_gb holds for the whole server"):
        await channels.set_setting(1, 10, "storage_quota_gb", "5", by=7)
    with pytest.raises(BadInput, match="takes yes or no"):
        await channels.set_setting(1, 10, "scan_nsfw", "perhaps", by=7)


async def test_store_functions_work_alone(channels: Channels, pool: Pool) -> None:
    """The older programs' names."""
    async with pool.acquire() as conn:
        await store.upsert_channels_for_guild(conn, 1, [channel(10, position=2), channel(11, position=1)])
        await store.upsert_channels_for_guild(conn, 1, [])
        found = await store.get_channels_by_guild(conn, 1)
        assert await store.delete_channels(conn, 1, [10, 11]) == {10, 11}
    assert [known.channel_id for known in found] == [11, 10]
    assert await ids(channels) == set()

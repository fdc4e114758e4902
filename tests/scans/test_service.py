"""What the doors ask of scans: starting, looking, canceling, and what to show."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from clipsaver.discord import store as discord_store
from clipsaver.errors import BadInput, NotThere
from clipsaver.postgres.pool import Pool
from clipsaver.scans import plan
from clipsaver.scans.model import Direction, RunStatus, ScanRequest, ScanStatus
from clipsaver.scans.service import Scans
from tests.scans.listed import EPOCH, GUILD, Bench, Listed, at

CHANNEL = at(0)


@pytest.fixture
async def bench(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A channel with three messages, the first with a clip."""
    monkeypatch.setattr(plan, "PAGE_LIMIT", 3)
    bench = Bench(pool=pool, listed=Listed(channel_id=CHANNEL))
    await bench.settle()
    for n in range(3):
        bench.listed.post(10 * n + 10, videos=int(n == 0))
    return bench


async def test_bad_bounds_change_nothing(bench: Bench) -> None:
    """Each is one sentence, and no run is queued."""
    with pytest.raises(BadInput, match="limit"):
        await bench.start(limit=0)
    with pytest.raises(BadInput, match="since"):
        await bench.start(since=EPOCH, until=EPOCH)
    assert (await bench.scans.status(GUILD, CHANNEL)).run is None


async def test_unknown_channels_are_said_to_be_unknown(bench: Bench) -> None:
    """Also those of another server."""
    with pytest.raises(NotThere, match="don't know that channel"):
        await bench.scans.status(GUILD + 1, CHANNEL)
    with pytest.raises(NotThere, match="don't know that channel"):
        await bench.scans.start(ScanRequest(guild_id=GUILD, channel_id=1, requested_by=1))
    with pytest.raises(NotThere, match="don't know that scan"):
        await bench.scans.run(GUILD, uuid4())


async def test_the_servers_scan_mode_is_the_default_direction(bench: Bench) -> None:
    """Left out, the direction is what the settings say."""
    await bench.pool.execute(
        "insert into guild_settings (guild_id, settings) values ($1, $2)", GUILD, {"scan_mode": "forward"}
    )
    assert Direction.FORWARD is (await bench.start()).direction


async def test_starting_wakes_a_worker(bench: Bench) -> None:
    """A worker in the same process need not be found out by chance."""
    woken: list[bool] = []
    scans = bench.scans
    request = ScanRequest(guild_id=GUILD, channel_id=CHANNEL, requested_by=1)
    scans = type(scans)(pool=scans.pool, defaults=scans.defaults, wake=lambda: woken.append(True))
    assert not (await scans.start(request)).already
    assert (await scans.start(request)).already
    assert woken == [True]


async def test_a_queued_scan_can_be_canceled(bench: Bench) -> None:
    """No worker has seen it: it ends without a horizon, and nothing is claimed."""
    run = await bench.start()
    canceled = await bench.scans.cancel_run(GUILD, run.id, by=2)
    assert (RunStatus.CANCELED, None) == (canceled.status, canceled.horizon)
    assert await bench.claim() is None


async def test_active_scans_are_listed_first(bench: Bench) -> None:
    """Channels that nobody scanned are left out."""
    for number in (1, 2, 3):
        await bench.pool.execute(
            "insert into bot_channels (channel_id, guild_id, name, type) values ($1, $2, $3, 'text')",
            CHANNEL + number,
            GUILD,
            f"other{number}",
        )
    await bench.start()
    await bench.carry_on()
    await bench.scans.start(ScanRequest(guild_id=GUILD, channel_id=CHANNEL + 1, requested_by=1))
    listed = await bench.scans.list(GUILD)
    assert ["other1", "clips"] == [status.channel.name for status in listed]
    assert [0, 1] == [100.0 == status.coverage.percent for status in listed]


async def test_messages_are_shown_until_the_last_word(bench: Bench) -> None:
    """Due at once, then every few seconds, and once more when the run has ended."""
    run = await bench.start(progress_channel_id=CHANNEL)
    assert [run.id] == [s.run.id for s in await bench.scans.to_show(5) if s.run]
    await bench.scans.shown(run.id, message_id=77, final=False)
    assert not await bench.scans.to_show(5)
    await bench.carry_on()
    (status,) = await bench.scans.to_show(5)
    assert status.run is not None
    assert (77, RunStatus.SUCCEEDED) == (status.run.progress_message_id, status.run.status)
    await bench.scans.shown(run.id, message_id=None, final=True)
    assert not await bench.scans.to_show(5)


async def test_a_message_nobody_can_write_is_given_up(bench: Bench) -> None:
    """`/scan status` alone tells then."""
    run = await bench.start(progress_channel_id=CHANNEL)
    await bench.scans.unshowable(run.id)
    assert not await bench.scans.to_show(5)


async def test_reading_that_rests_is_told_everywhere(bench: Bench) -> None:
    """Too many refused requests of any process are in the status, the list and the messages; and so is a dead token."""
    run = await bench.start(progress_channel_id=CHANNEL)

    async def shown(scans: Scans) -> list[ScanStatus]:
        return [await scans.status(GUILD, CHANNEL), *await scans.list(GUILD), *await scans.to_show(5)]

    assert [(None, False)] * 3 == [(one.rests_until, one.token_refused) for one in await shown(bench.scans)]
    async with bench.pool.acquire() as conn:
        await discord_store.note_invalid(conn, 1000, reading_stops=1000, everything_stops=5000)
    dead = Scans(pool=bench.pool, defaults={}, token_refused=lambda: True)
    for status in await shown(dead):
        assert status.run is not None
        assert run.id == status.run.id
        assert status.token_refused
        assert status.rests_until is not None
        assert timedelta(minutes=9) < status.rests_until - datetime.now(UTC) < timedelta(minutes=11)


async def test_old_runs_are_purged(bench: Bench) -> None:
    """Those that ended longer ago than they are kept; active ones never."""
    await bench.start()
    await bench.carry_on()
    assert {"deleted": 0, "keep_days": 30} == await bench.scans.purge(timedelta(days=30))
    await bench.pool.execute("update bot_channel_scan_runs set finished_at = now() - interval '31 days'")
    await bench.start()
    assert {"deleted": 1, "keep_days": 30} == await bench.scans.purge(timedelta(days=30))
    assert (await bench.carry_on()).status is RunStatus.SUCCEEDED


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(days=1)])
async def test_a_clock_that_was_set_back_keeps_nobody_waiting(bench: Bench, ahead: timedelta) -> None:
    """A run that seems due, or held, an hour or a day from now is claimed: the database's clock was wrong before."""
    move = "update bot_channel_scan_runs set due_at = due_at + $1::interval, lease_until = lease_until + $1::interval"
    await bench.start()
    await bench.pool.execute(move, ahead)
    assert await bench.claim() is not None
    assert await bench.claim() is None
    await bench.pool.execute(move, ahead)
    assert await bench.claim() is not None


async def test_messages_about_scans_are_no_gap(bench: Bench) -> None:
    """What came after all that is read is unread, unless it is our own message about a scan."""
    await bench.start(progress_channel_id=CHANNEL)
    run = await bench.carry_on()
    later = EPOCH + timedelta(seconds=1001)
    await bench.pool.execute("update bot_channels set last_activity_at = $1", later)
    assert (await bench.scans.status(GUILD, CHANNEL)).coverage.gaps == 1
    await bench.scans.shown(run.id, message_id=at(1001) + 77, final=True)
    assert (await bench.scans.status(GUILD, CHANNEL)).coverage.gaps == 0
    await bench.pool.execute("update bot_channels set last_activity_at = $1", later + timedelta(milliseconds=1))
    assert (await bench.scans.status(GUILD, CHANNEL)).coverage.gaps == 1
    await bench.pool.execute("update bot_channels set last_activity_at = null")
    assert (await bench.scans.status(GUILD, CHANNEL)).coverage.gaps == 0

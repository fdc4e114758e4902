"""One run, carried on by a worker: what it reads, keeps, counts, and refuses to believe."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from clipsaver.discord.permissions import Permission
from clipsaver.errors import NotThere
from clipsaver.postgres.pool import Pool
from clipsaver.postgres.ranges import IdRange
from clipsaver.scans import plan, steps
from clipsaver.scans.model import Direction, Rescan, Run, RunStatus
from clipsaver.work.worker import Lease
from tests.scans.listed import EPOCH, GUILD, READING, Bench, Listed, at

CHANNEL = at(0)


@pytest.fixture
async def bench(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A channel with twelve messages, every third with a clip, in pages of three."""
    monkeypatch.setattr(plan, "PAGE_LIMIT", 3)
    bench = Bench(pool=pool, listed=Listed(channel_id=CHANNEL))
    await bench.settle()
    for n in range(12):
        bench.listed.post(10 * n + 10, videos=int(n % 3 == 0), content="a" if n < 6 else "b")
    return bench


@pytest.mark.parametrize("direction", Direction)
async def test_a_scan_finds_everything(bench: Bench, direction: Direction) -> None:
    """Both ways: every message once, every clip once, no gap up to the horizon."""
    await bench.start(direction=direction)
    run = await bench.carry_on()
    assert (RunStatus.SUCCEEDED, 12, 4, 4) == (run.status, run.messages_scanned, run.messages_matched, run.clips_found)
    status = await bench.scans.status(GUILD, CHANNEL)
    assert (IdRange(0, bench.listed.horizon),) == status.channel.coverage
    assert (100.0, 0) == (status.coverage.percent, status.coverage.gaps)
    assert (12, at(120), False) == (
        status.channel.message_count,
        status.channel.last_message_id,
        status.channel.has_gaps,
    )
    assert len(await bench.clips()) == 4


Sent = Sequence[Mapping[str, Any]]


def turned_round(sent: Sent) -> Sent:
    """Oldest first."""
    return sent[::-1]


def doubled(sent: Sent) -> Sent:
    """One of them twice."""
    return [*sent, sent[0]]


def with_a_stray(sent: Sent) -> Sent:
    """One from beyond where was asked, at the end."""
    return [*sent[:-1], {**sent[-1], "id": str(at(5000))}]


def without_an_id(sent: Sent) -> Sent:
    """At the end."""
    return [*sent[:-1], {**sent[-1], "id": None}]


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("odd", [turned_round, doubled, with_a_stray, without_an_id])
@pytest.mark.parametrize("page", range(5))
async def test_pages_that_are_not_what_they_seem(
    bench: Bench, direction: Direction, odd: Callable[[Sent], Sent], page: int
) -> None:
    """One such page, whichever it is: nothing is missed, and nothing is taken for read that was not."""
    bench.listed.sends = lambda sent: odd(sent) if sent and bench.listed.asked == page + 1 else sent
    await bench.start(direction=direction)
    run = await bench.carry_on()
    assert (RunStatus.SUCCEEDED, 12, 4) == (run.status, run.messages_scanned, run.clips_found), run.error_message
    status = await bench.scans.status(GUILD, CHANNEL)
    assert (IdRange(0, bench.listed.horizon),) == status.channel.coverage
    assert status.channel.message_count == 12


async def test_scanning_again_reads_only_what_is_new(bench: Bench) -> None:
    """The second scan asks for one page and counts no message twice."""
    await bench.start()
    await bench.carry_on()
    bench.listed.now += 100
    bench.listed.asked = 0
    bench.listed.post(1050, videos=1)
    await bench.start()
    run = await bench.carry_on()
    assert (1, 1, 1) == (bench.listed.asked, run.messages_scanned, run.clips_found)
    assert (await bench.scans.status(GUILD, CHANNEL)).channel.message_count == 13


async def test_update_reads_everything_again(bench: Bench) -> None:
    """What has changed meanwhile is seen, and nothing is there twice."""
    await bench.start()
    await bench.carry_on()
    bench.listed.post(20, videos=2)
    await bench.start(rescan=Rescan.UPDATE)
    run = await bench.carry_on()
    assert (12, 6) == (run.messages_scanned, run.clips_found)
    assert len(await bench.clips()) == 6
    assert (await bench.scans.status(GUILD, CHANNEL)).channel.message_count == 12


async def test_bounds_and_limit(bench: Bench) -> None:
    """Only what lies between the dates, and no more messages than asked for."""
    await bench.start(since=EPOCH + timedelta(seconds=30), until=EPOCH + timedelta(seconds=70))
    run = await bench.carry_on()
    assert run.messages_scanned == 4
    await bench.start(limit=5)
    run = await bench.carry_on()
    assert (RunStatus.SUCCEEDED, 5) == (run.status, run.messages_scanned)
    covered = (await bench.scans.status(GUILD, CHANNEL)).channel.coverage
    assert (IdRange(at(30), at(70)), IdRange(at(80), bench.listed.horizon)) == covered


async def test_young_messages_are_left_to_the_next_run(bench: Bench) -> None:
    """What was posted within the last five seconds may still be on its way."""
    bench.listed.post(997, videos=1)
    await bench.start()
    assert (await bench.carry_on()).messages_scanned == 12


async def test_no_permission_is_no_success(bench: Bench) -> None:
    """Before the first page: the sentence says what is missing and where."""
    bench.listed.permissions = Permission.VIEW_CHANNEL
    await bench.start()
    run = await bench.carry_on()
    assert (RunStatus.FAILED, "I can't read #clips: I need Read Message History there.") == (
        run.status,
        run.error_message,
    )
    assert bench.listed.asked == 0


async def test_an_empty_page_without_permission_proves_nothing(bench: Bench) -> None:
    """Revoked in the middle: Discord answers with an empty list, and nobody believes it."""

    def revoke() -> None:
        if bench.listed.asked == 2:
            bench.listed.permissions = Permission.VIEW_CHANNEL

    bench.listed.before_page = revoke
    await bench.start()
    run = await bench.carry_on()
    assert (RunStatus.FAILED, 3) == (run.status, run.messages_scanned)
    assert (await bench.scans.status(GUILD, CHANNEL)).channel.coverage == (IdRange(at(100), bench.listed.horizon),)
    bench.listed.permissions = READING
    await bench.start()
    assert (await bench.carry_on()).messages_scanned == 9


async def test_age_restricted_channels_are_refused(bench: Bench) -> None:
    """Refused with their coverage untouched; read once the setting allows it."""
    bench.listed.nsfw = True
    await bench.start()
    run = await bench.carry_on()
    assert run.status is RunStatus.FAILED
    assert "scan_nsfw" in (run.error_message or "")
    assert (await bench.scans.status(GUILD, CHANNEL)).channel.coverage == ()
    await _set(bench, scan_nsfw=True)
    await bench.start()
    assert (await bench.carry_on()).status is RunStatus.SUCCEEDED


async def test_age_restricted_channels_are_left_when_the_setting_is_switched_off(bench: Bench) -> None:
    """In the middle of a scan: what was read is kept, and the run says why it went no further."""
    bench.listed.nsfw = True
    await _set(bench, scan_nsfw=True)
    run, _, work = await _begin(bench, pages=1)
    await _set(bench, scan_nsfw=False)
    bench.listed.let_through(30)
    await work
    run = await bench.run(run.id)
    assert (RunStatus.FAILED, 3) == (run.status, run.messages_scanned)
    assert "age-restricted" in (run.error_message or "")


async def test_new_rules_in_the_middle_start_the_run_over(bench: Bench) -> None:
    """What was read under the old rules is read again, and each message counts once."""
    run, _, work = await _begin(bench, pages=2)
    await _set(bench, match_regex="b")
    bench.listed.let_through(30)
    await work
    run = await bench.run(run.id)
    assert (RunStatus.SUCCEEDED, 12, 2, {"not_matched": 2}) == (
        run.status,
        run.messages_scanned,
        run.clips_found,
        dict(run.skipped),
    )
    status = await bench.scans.status(GUILD, CHANNEL)
    assert (100.0, (IdRange(0, bench.listed.horizon),), ()) == (
        status.coverage.percent,
        status.channel.coverage,
        status.channel.stale,
    )
    assert status.channel.message_count == 12


async def test_a_canceled_run_stops_between_pages(bench: Bench) -> None:
    """What was read stays read, what is on its way is dropped, and the channel is free for the next scan."""
    run, _, work = await _begin(bench, pages=1)
    canceled = await bench.scans.cancel(GUILD, CHANNEL, by=1)
    assert RunStatus.CANCELED is canceled.status
    bench.listed.let_through()
    await work
    assert (RunStatus.CANCELED, 3) == ((await bench.run(run.id)).status, (await bench.run(run.id)).messages_scanned)
    with pytest.raises(NotThere, match="No scan is running"):
        await bench.scans.cancel(GUILD, CHANNEL, by=1)
    with pytest.raises(NotThere, match="already ended"):
        await bench.scans.cancel_run(GUILD, run.id, by=1)
    bench.listed.gate = None
    await bench.start()
    assert (await bench.carry_on()).messages_scanned == 9


async def test_a_worker_that_lost_its_lease_writes_nothing(bench: Bench) -> None:
    """It wakes with a page in its hands, after another has taken the run over and finished it."""
    bench.listed.gate = asyncio.Semaphore(1)
    run = await bench.start()
    sleeper = await bench.claim()
    assert sleeper is not None
    work = asyncio.create_task(bench.work.work(*sleeper))
    await bench.scanned(run.id, 3)
    await bench.expire_leases()
    gate, bench.listed.gate = bench.listed.gate, None
    assert (await bench.carry_on()).messages_scanned == 12
    gate.release()
    await work
    ended = await bench.run(run.id)
    assert (RunStatus.SUCCEEDED, 12) == (ended.status, ended.messages_scanned)


async def test_draining_hands_the_run_back(bench: Bench) -> None:
    """What was read is committed, and the next worker goes on at once; the attempt is not counted."""
    run, lease, work = await _begin(bench, pages=1)
    lease.draining.set()
    await work
    handed = await bench.run(run.id)
    assert (RunStatus.QUEUED, 3, 0) == (handed.status, handed.messages_scanned, handed.attempts)
    bench.listed.gate = None
    assert (await bench.carry_on()).messages_scanned == 12


async def test_a_channel_is_marked_now_and_then(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a long scan too, together with the pages: under the same lease."""
    monkeypatch.setattr(steps, "MARK_EVERY", -1.0)
    _, lease, work = await _begin(bench, pages=1)
    assert (await bench.scans.status(GUILD, CHANNEL)).channel.last_message_id == at(120)
    lease.draining.set()
    await work


async def test_a_second_scan_shows_the_first(bench: Bench) -> None:
    """One active scan a channel, however it is asked for."""
    first = await bench.start()
    assert first == await bench.start(rescan=Rescan.UPDATE)


async def _begin(bench: Bench, *, pages: int) -> "tuple[Run, Lease, asyncio.Task[None]]":
    """Have a worker begin a scan, and stand before the next page after so many."""
    bench.listed.gate = asyncio.Semaphore(pages)
    await bench.start()
    claimed = await bench.claim()
    assert claimed is not None
    work = asyncio.create_task(bench.work.work(*claimed))
    await bench.scanned(claimed[0].id, 3 * pages)
    return *claimed, work


async def _set(bench: Bench, **settings: object) -> None:
    await bench.pool.execute(
        "insert into guild_settings (guild_id, settings) values ($1, $2) on conflict (guild_id) do update "
        "set settings = guild_settings.settings || excluded.settings",
        GUILD,
        settings,
    )

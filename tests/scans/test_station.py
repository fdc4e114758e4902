"""Trouble: what is written of it, when it is tried again, and when it is given up."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from clipsaver.clips.model import StaleRules
from clipsaver.clips.service import Clips
from clipsaver.discord.history import CutPage
from clipsaver.errors import ClipsaverError
from clipsaver.postgres.pool import Pool
from clipsaver.scans import plan, reading
from clipsaver.scans.keeping import Keeper
from clipsaver.scans.model import Advance, RunStatus
from clipsaver.scans.station import MOST_ATTEMPTS
from tests.scans.listed import GUILD, Bench, Listed, at

CHANNEL = at(0)


@pytest.fixture
async def bench(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A channel with nine messages in pages of three."""
    monkeypatch.setattr(plan, "PAGE_LIMIT", 3)
    bench = Bench(pool=pool, listed=Listed(channel_id=CHANNEL))
    await bench.settle()
    for n in range(9):
        bench.listed.post(10 * n + 10, videos=1)
    return bench


def failing(bench: Bench, error: Exception, *, after: int = 0) -> None:
    """Let Discord fail after so many pages."""

    def fail() -> None:
        if bench.listed.asked > after:
            raise error

    bench.listed.before_page = fail


async def test_passing_trouble_is_tried_again_later(bench: Bench) -> None:
    """The reason is on the row, the run waits for its turn, and goes on where it was."""
    failing(bench, ClipsaverError("Discord is away."), after=1)
    await bench.start()
    run = await bench.carry_on()
    assert (RunStatus.QUEUED, "Discord is away.", 3) == (run.status, run.error_message, run.messages_scanned)
    assert await bench.claim() is None
    bench.listed.before_page = lambda: None
    await bench.expire_leases()
    run = await bench.carry_on()
    assert (RunStatus.SUCCEEDED, None, 9) == (run.status, run.error_message, run.messages_scanned)


async def test_a_run_that_gets_nowhere_fails_for_good(bench: Bench) -> None:
    """Attempts count only while nothing is committed."""
    failing(bench, ClipsaverError("Discord is away."))
    await bench.start()
    for _ in range(MOST_ATTEMPTS):
        await bench.expire_leases()
        run = await bench.carry_on()
    assert (RunStatus.FAILED, "Discord is away.") == (run.status, run.error_message)


async def test_permanent_trouble_ends_the_run(bench: Bench) -> None:
    """Nobody tries again what can't succeed; what was read stays read."""
    failing(bench, ClipsaverError("The channel is gone.", permanent=True), after=1)
    await bench.start()
    run = await bench.carry_on()
    assert (RunStatus.FAILED, 3) == (run.status, run.messages_scanned)
    assert len((await bench.scans.status(GUILD, CHANNEL)).channel.coverage) == 1


async def test_a_crash_is_a_sentence_with_a_reference(bench: Bench) -> None:
    """Whatever goes wrong in our own code: logged, said, and tried again a bounded number of times."""
    failing(bench, ZeroDivisionError("secret"))
    await bench.start()
    run = await bench.carry_on()
    assert run.status is RunStatus.QUEUED
    assert "reference" in (run.error_message or "")
    assert "secret" not in (run.error_message or "")


async def test_a_crash_in_a_page_ends_the_reading_of_others(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where as much has been read ahead as may be."""

    def crash(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(reading, "READ_AHEAD", 1)
    monkeypatch.setattr(reading, "find_in", crash)
    await bench.start()
    run = await bench.carry_on()
    assert run.status is RunStatus.QUEUED
    assert "reference" in (run.error_message or "")


async def test_an_answer_nobody_asked_for_is_not_believed(bench: Bench) -> None:
    """A page that proves nothing is trouble, and never an end."""
    bench.listed.sends = lambda sent: [{**one, "channel_id": "1"} for one in sent]
    await bench.start()
    run = await bench.carry_on()
    assert run.status is RunStatus.QUEUED
    assert "not asked for" in (run.error_message or "")


async def test_a_long_wait_is_shown(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until when Discord makes us wait is on the row while it does, and gone with the next page."""
    cut, seen = Listed.cut, []

    async def slow(listed: Listed, channel_id: int, *, on_wait: Any, **what: Any) -> CutPage:
        if listed.asked == 1:
            on_wait(None)
            on_wait(datetime.now(UTC) + timedelta(seconds=1))
            on_wait(datetime.now(UTC) + timedelta(hours=1))
            await bench.until(lambda: _waits(bench))
            seen.append((await bench.scans.status(GUILD, CHANNEL)).run)
        return await cut(listed, channel_id, **what)

    monkeypatch.setattr(Listed, "cut", slow)
    await bench.start()
    run = await bench.carry_on()
    assert seen[0] is not None
    assert seen[0].waiting_until is not None
    assert (RunStatus.SUCCEEDED, None) == (run.status, run.waiting_until)


async def test_a_long_wait_stays_shown(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that was begun before the wait, and comes after it was written, doesn't take it away."""
    cut, keep, begun, shown = Listed.cut, Keeper.keep, asyncio.Event(), asyncio.Event()

    async def late(keeper: Keeper, advance: Advance, **what: Any) -> None:
        begun.set()
        await shown.wait()
        await keep(keeper, advance, **what)

    async def slow(listed: Listed, channel_id: int, *, on_wait: Any, **what: Any) -> CutPage:
        if listed.asked == 1:
            await begun.wait()
            on_wait(datetime.now(UTC) + timedelta(hours=1))
            await bench.until(lambda: _waits(bench))
            shown.set()
            await bench.scanned(started.id, 3)
            await bench.until(lambda: _waits(bench))
        return await cut(listed, channel_id, **what)

    monkeypatch.setattr(Keeper, "keep", late)
    monkeypatch.setattr(Listed, "cut", slow)
    started = await bench.start()
    run = await bench.carry_on()
    assert (RunStatus.SUCCEEDED, None) == (run.status, run.waiting_until)


async def _waits(bench: Bench) -> bool:
    run = (await bench.scans.status(GUILD, CHANNEL)).run
    return run is not None and run.waiting_until is not None


async def test_leases_are_kept_while_the_run_is_ours(bench: Bench) -> None:
    """Renewing tells when the run is another's, or has been canceled."""
    run = await bench.start()
    claimed = await bench.claim()
    assert claimed is not None
    token = claimed[1].token
    assert await bench.work.renew(claimed[0], token)
    assert not await bench.work.renew(claimed[0], uuid4())
    await bench.scans.cancel_run(GUILD, run.id, by=1)
    assert not await bench.work.renew(claimed[0], token)


async def test_rules_that_never_rest_are_trouble(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is looked through again a few times, and then the run waits."""

    async def moved(*_: object, **__: object) -> None:
        raise StaleRules(CHANNEL)

    monkeypatch.setattr(Clips, "keep", moved)
    await bench.start()
    assert (await bench.carry_on()).status is RunStatus.QUEUED


async def test_a_station_describes_the_work(bench: Bench) -> None:
    """What a worker is told: as many at once as configured, under the configured lease."""
    station = bench.work.station(concurrency=7, poll=timedelta(seconds=1))
    assert ("scans", 7, bench.work.lease_time) == (station.name, station.concurrency, station.lease)


async def test_nothing_is_claimed_with_a_refused_token(bench: Bench) -> None:
    """The run waits for the next start, and none of its attempts is used up."""
    run = await bench.start()
    bench.listed.unauthorized = True
    assert await bench.claim() is None
    assert (await bench.run(run.id)).attempts == 0

"""What a process tells about itself."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from attrs import evolve
from structlog.testing import capture_logs

from clipsaver.app import sight as module
from clipsaver.app.bot import Bot
from clipsaver.app.ground import Ground, ground
from clipsaver.app.jobs import jobs
from clipsaver.app.picturing import picturing_work
from clipsaver.app.run import _scan_work
from clipsaver.app.saving import saving_work
from clipsaver.app.sight import Sight
from clipsaver.app.watchdog import PATIENCE
from clipsaver.clips.picturing.service import Pictures
from clipsaver.clips.saving.model import ClipState
from clipsaver.clips.saving.service import Saving
from clipsaver.discord import store as discord_store
from clipsaver.discord.rest import Priority, Route, Unauthorized
from clipsaver.errors import StartFailed
from clipsaver.media.probe.model import Failed
from clipsaver.media.sandbox.wire import Reason
from clipsaver.media.storage import StorageFull, StorageUnavailable
from clipsaver.media.storage.local import LocalStorage
from clipsaver.scans.model import Figures as Read
from clipsaver.scans.service import Scans
from clipsaver.simulator.server import Simulator
from clipsaver.work.cron import Cron
from clipsaver.work.worker import Worker
from tests.app.conftest import Configure
from tests.app.programs import until


@pytest.fixture
async def below(configure: Configure) -> AsyncIterator[Ground]:
    """What it stands on."""
    async with ground(configure()) as made:
        yield made


@pytest.fixture
def whole(below: Ground) -> Sight:
    """A process that does everything, and has begun nothing."""
    work = _scan_work(below)
    return Sight(
        ground=below,
        work=work,
        bot=Bot.of(
            below, Scans(pool=below.pool, defaults=below.defaults), Saving(pool=below.pool), Pictures(pool=below.pool)
        ),
        worker=Worker([work.station(concurrency=3, poll=timedelta(seconds=1))], first_pause=timedelta(seconds=0.01)),
        cron=Cron(below.pool, jobs(below)),
    )


async def test_what_is_missing_at_first(whole: Sight) -> None:
    """Before the gateway session stands, its parts are missing, and the rest is there."""
    readiness = await whole.readiness()
    assert {"gateway", "guilds", "commands"} == set(readiness.missing)
    parts = readiness.as_json()["parts"]
    assert {"purge_install_intents", "purge_scan_runs", "purge_odd_payloads"} == parts["jobs"]["jobs"].keys()
    assert {"ok": True, "in_hand": {"scans": 0}, "in_trouble": []} == parts["worker"]


async def test_nothing_is_missing(whole: Sight) -> None:
    """With the session, the guilds and the commands, all is there."""
    bot = whole.bot
    assert bot is not None
    running = asyncio.create_task(bot.run())
    await until(lambda: bot.commands.registered and bot.state.synchronised)
    readiness = await whole.readiness()
    assert () == readiness.missing
    assert {"0": True} == readiness.as_json()["parts"]["gateway"]["shards"]
    assert {0: True} == (await whole.figures()).gateway_connected
    stored = await whole.stored()
    assert stored.guilds == 1
    assert (stored.channels or 0) > 0
    await bot.stop()
    await asyncio.wait_for(running, 60)


async def test_a_session_that_is_begun_anew(whole: Sight, discord: Simulator) -> None:
    """It is said what is missing, why, and when it goes on; and counted."""
    bot = whole.bot
    assert bot is not None
    running = asyncio.create_task(bot.run())
    await until(lambda: bot.commands.registered and bot.state.synchronised)
    bot.watchdog.patience = evolve(PATIENCE, look=0.02, first_pause=600)
    discord.gateway.close(4001)
    await until(bot.watchdog.waiting)
    await until(lambda: not bot.gateway.is_alive)
    readiness = await whole.readiness()
    assert set(readiness.missing) == {"gateway", "guilds"}
    gateway = readiness.as_json()["parts"]["gateway"]
    assert (gateway["shards"], gateway["trouble"]) == ({}, "closed_4001")
    assert 400 < gateway["goes_on_in"] <= 600
    assert {"closed_4001": 1} == (await whole.figures()).gateway_reconnects
    await bot.stop()
    await asyncio.wait_for(running, 60)


async def test_a_problem_with_the_commands_is_told(whole: Sight) -> None:
    """Why the commands are not there."""
    assert whole.bot is not None
    whole.bot.commands.problem = "ForbiddenError from Discord"
    assert (await whole.readiness()).parts["commands"].detail == {"problem": "ForbiddenError from Discord"}


async def test_a_role_answers_for_its_own_parts(below: Ground) -> None:
    """A process without bot and worker has neither parts nor figures of them."""
    sight = Sight(ground=below, work=_scan_work(below), bot=None, worker=None, cron=Cron(below.pool, []))
    assert {"database", "discord", "jobs"} == (await sight.readiness()).parts.keys()
    figures = await sight.figures()
    assert (None, None, None, None) == (
        figures.gateway_connected,
        figures.jobs_in_hand,
        figures.messages_read,
        figures.clips_found,
    )


async def test_figures(whole: Sight) -> None:
    """What was read, what Discord was asked, and the pool."""
    whole.work.tally.add(Read(messages_scanned=100, clips_found=7))
    figures = await whole.figures()
    assert (100, 7) == (figures.messages_read, figures.clips_found)
    assert figures.requests is not None
    assert figures.requests["GET", "/users/@me", 200] == 1
    assert figures.invalid_requests == 0
    assert (figures.pool_size or 0) >= 1
    assert figures.jobs_in_hand == {"scans": 0}


async def test_the_database_is_away(whole: Sight) -> None:
    """It is said what happened, not how."""
    whole.ground.pool.terminate()
    readiness = await whole.readiness()
    assert "database" in readiness.missing
    assert readiness.parts["database"].detail == {"error": "InterfaceError"}


async def test_the_database_is_slow(whole: Sight, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience is bounded."""
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    held = [await whole.ground.pool.acquire() for _ in range(whole.ground.config.database.pool_size)]
    assert (await whole.readiness()).parts["database"].detail == {"error": "TimeoutError"}
    for one in held:
        await whole.ground.pool.release(one)


async def test_discord_takes_nothing_from_us(whole: Sight, discord: Simulator) -> None:
    """Once the token is refused nothing can be read, and that is told."""
    discord.faults.add("unauthorized")
    with pytest.raises(Unauthorized):
        await whole.ground.rest.request(Route("GET", "/users/@me"), priority=Priority.PEOPLE)
    readiness = await whole.readiness()
    assert "discord" in readiness.missing
    assert readiness.parts["discord"].detail == {"halted": "Discord does not accept the bot token any more."}
    figures = await whole.figures()
    assert (figures.reading_halted, figures.halts, figures.invalid_requests) == (True, 0, 1)


async def test_reading_rests(whole: Sight) -> None:
    """What any process was refused too often is told by each."""
    async with whole.ground.pool.acquire() as conn:
        await discord_store.note_invalid(conn, 1000, reading_stops=1000, everything_stops=5000)
    assert (await whole.figures()).reading_halted is False
    await whole.ground.rest.breaker.look()
    part = (await whole.readiness()).parts["discord"]
    assert not part.ok
    assert "Reading rests until" in part.detail["halted"]
    figures = await whole.figures()
    assert (figures.reading_halted, figures.halts, figures.invalid_requests) == (True, 1, 0)


async def test_a_worker_in_trouble(whole: Sight) -> None:
    """A worker that can't claim is not ready."""
    worker = whole.worker
    assert worker is not None
    whole.ground.pool.terminate()
    running = asyncio.create_task(worker.run())
    await until(lambda: worker.in_trouble)
    assert "worker" in (await whole.readiness()).missing
    worker.stop()
    await asyncio.wait_for(running, 60)


async def test_what_is_saved(whole: Sight) -> None:
    """Clips by state, what was stored, and why nothing is fetched just now."""
    async with saving_work(whole.ground) as saving:
        sight = evolve(whole, saving=saving)
        saving.tally.clips, saving.tally.bytes = 2, 5
        assert not {"saving_halted", "saving_resting"} & (await sight.readiness()).parts["worker"].detail.keys()
        saving.room.failed(StorageFull("There is no room."))
        readiness = await sight.readiness()
        assert readiness.parts["worker"].ok
        detail = readiness.as_json()["parts"]["worker"]
        assert (detail["saving_halted"], detail["saving_halted_by"]) == ("There is no room.", "full")
        figures = await sight.figures()
        assert (figures.clips_saved, figures.bytes_saved, figures.saving_halted) == (2, 5, True)
        counted = await sight.clips()
        assert counted.clips == dict.fromkeys(ClipState, 0)
        assert (counted.clips_unsaved, counted.stored_bytes) == ({}, 0)
        assert figures.storage_free is None
        assert await saving.room.takes(0) is False
        saving.room.clock = lambda: 1e9
        assert await saving.room.takes(0)
        assert ((await sight.figures()).storage_free or 0) > 0
        assert (await sight.figures()).saving_resting is False
        first, *_ = saving.fetcher._hosts.values()
        first.rest._rest(3600)
        assert (await sight.figures()).saving_resting is True
        readiness = await sight.readiness()
        assert readiness.parts["worker"].ok
        assert f"{first.rest.origin} for 3600 s more" in readiness.parts["worker"].detail["saving_resting"]


async def test_what_is_shown(whole: Sight) -> None:
    """Videos with and without pictures, and why none is looked at just now."""
    async with saving_work(whole.ground) as saving:
        pictures = picturing_work(whole.ground, saving.storage)
        assert (pictures.studio.children, pictures.studio.memory_mb) == (1, 512)
        sight = evolve(whole, pictures=pictures)
        pictures.tally.made, pictures.tally.not_made = 2, 5
        assert "pictures_halted" not in (await sight.readiness()).as_json()["parts"]["worker"]
        pictures.pause.begin("The disk is away.")
        readiness = await sight.readiness()
        assert readiness.parts["worker"].ok
        assert readiness.as_json()["parts"]["worker"]["pictures_halted"] == "The disk is away."
        figures = await sight.figures()
        assert (figures.pictures_made, figures.pictures_not_made, figures.pictures_halted) == (2, 5, True)
        await whole.ground.pool.execute("insert into blobs (sha256, size) values (sha256('x'), 1)")
        assert (await sight.unmade()).pictures == {"pending": 1, "failed": 0}


async def test_nothing_to_look_at_videos_with(below: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said at the start what is missing."""

    def missing(**_: object) -> None:
        raise Failed(Reason.UNAVAILABLE, sentence="The package av is missing.")

    monkeypatch.setattr("clipsaver.app.picturing.Studio", missing)
    async with saving_work(below) as saving:
        with pytest.raises(StartFailed, match="The package av is missing"):
            picturing_work(below, saving.storage)


async def test_a_storage_that_can_not_be_swept(below: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is logged, and the start goes on."""

    async def away(*_: object, **__: object) -> int:
        raise StorageUnavailable("Away.")

    monkeypatch.setattr(LocalStorage, "sweep", away)
    with capture_logs() as lines:
        async with saving_work(below):
            pass
    assert "storage.not_swept" in {line["event"] for line in lines}

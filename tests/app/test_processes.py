"""The program as an operator runs it: whole scans, ends that are asked for, and starts that can't succeed."""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from clipsaver.postgres.embedded import Embedded
from clipsaver.simulator.server import Simulator
from tests.app.moderation import Moderation, ask, clips
from tests.app.programs import Program, is_alive, postmaster, program, settings, until

PAGES = "GET /channels/*/messages"
NOTHING_ANSWERS = "postgresql://clipsaver:hunter2hunter2@127.0.0.1:1/clipsaver"
FIGURES = (
    "clipsaver_uptime_seconds",
    'clipsaver_gateway_connected{shard="0"} 1.0',
    "clipsaver_guilds 1.0",
    "clipsaver_channels ",
    'clipsaver_runs{state="succeeded"} 1.0',
    "clipsaver_messages_read_total 250.0",
    "clipsaver_clips_found_total ",
    'clipsaver_discord_requests_total{method="GET",route="/channels/{channel_id}/messages",status="200"}',
    "clipsaver_discord_throttled",
    "clipsaver_discord_invalid_requests_total 0.0",
    "clipsaver_page_seconds_bucket",
    "clipsaver_database_pool_size",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
)


@pytest.fixture
def moderation(discord: Simulator) -> Moderation:
    """Somebody who tells the program what to do."""
    return Moderation(discord)


def assert_well_logged(run: Program, simulator: Simulator) -> None:
    """Every line is an object with the four names, nothing is beside the log, and no secret is in it."""
    lines = run.out.read_bytes().splitlines()
    assert lines
    for line in lines:
        assert {"timestamp", "level", "logger", "event"} <= orjson.loads(line).keys()
    assert run.err.read_text() == ""
    assert simulator.token not in run.everything
    assert "hunter2" not in run.everything


async def test_from_one_command_to_a_finished_scan(discord: Simulator, moderation: Moderation, tmp_path: Path) -> None:
    """One command: it becomes ready, is told to scan, finds exactly what is there, shows figures, and ends in order."""
    async with program("run", settings(discord, tmp_path), tmp_path) as run:
        await run.ready()
        status, body = await run.get("/ready")
        ready = orjson.loads(body)
        assert (200, "ready", []) == (status, ready["status"], ready["missing"])
        assert {"database", "discord", "gateway", "guilds", "commands", "worker", "jobs"} == ready["parts"].keys()
        assert (200, {"status": "ok"}) == ((found := await run.get("/health"))[0], orjson.loads(found[1]))
        await moderation.scan()
        await moderation.finished()
        metrics = (await run.get("/metrics"))[1]
        assert [] == [figure for figure in FIGURES if figure not in metrics]
        async with Embedded(tmp_path / "data") as database:
            assert moderation.truth == await clips(database.url)
        server = postmaster(tmp_path)
        assert is_alive(server)
        assert 0 == await run.stop()
        assert not is_alive(server)
    assert run.critical == []
    assert_well_logged(run, discord)


async def test_a_bot_and_a_worker_share_a_scan(discord: Simulator, moderation: Moderation, tmp_path: Path) -> None:
    """The bot is told, the worker in another process reads; both use the bot's embedded database."""
    environ = settings(discord, tmp_path)
    async with program("bot", environ, tmp_path) as bot:
        await bot.ready()
        assert (await bot.hear("database.embedded"))["owner"]
        async with program("worker", environ, tmp_path) as worker:
            await worker.ready()
            assert not (await worker.hear("database.embedded"))["owner"]
            assert {"database", "discord", "worker", "jobs"} == orjson.loads((await worker.get("/ready"))[1])[
                "parts"
            ].keys()
            await moderation.scan()
            await moderation.finished()
            async with Embedded(tmp_path / "data") as database:
                assert moderation.truth == await clips(database.url)
            assert bot.said("scan.succeeded") is None
            assert worker.said("scan.succeeded") is not None
            assert 0 == await worker.stop(signal.SIGINT)
        assert 0 == await bot.stop(signal.SIGINT)
    for one in (bot, worker):
        assert_well_logged(one, discord)


def hold_gateway(discord: Simulator) -> Callable[[Program], object]:
    """Let the gateway's first frame take longer than anybody waits."""
    discord.gateway.delay = 600
    return lambda _: discord.gateway.connections


def nothing(_: Simulator) -> Callable[[Program], object]:
    """Let all go well; the database is the first that takes time."""
    return lambda run: run.said("process.starting")


@pytest.mark.parametrize("hold", [nothing, hold_gateway])
async def test_an_end_while_it_starts(
    hold: Callable[[Simulator], Callable[[Program], object]], discord: Simulator, tmp_path: Path
) -> None:
    """SIGTERM is obeyed whatever the start waits for, and nothing stays behind."""
    there = hold(discord)
    async with program("run", settings(discord, tmp_path), tmp_path) as run:
        await until(lambda: there(run))
        assert 0 == await run.stop()
        assert not is_alive(postmaster(tmp_path))
    assert_well_logged(run, discord)
    discord.gateway.delay = 0


async def test_an_end_before_anything_is_open(discord: Simulator, tmp_path: Path) -> None:
    """While all is only being imported, SIGTERM ends the program in order as well."""
    async with program("run", settings(discord, tmp_path), tmp_path) as run:
        await until(lambda: is_handled(run.process.pid, signal.SIGTERM))
        assert 0 == await run.stop()


def is_handled(pid: int, number: int) -> bool:
    """Whether a process has something of its own to do at a signal."""
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


async def test_a_scan_goes_on_after_an_end(discord: Simulator, moderation: Moderation, tmp_path: Path) -> None:
    """SIGTERM in mid-scan, while Discord makes it wait for an hour: the next start carries the scan on and ends it."""
    environ = settings(discord, tmp_path)
    async with program("run", environ, tmp_path) as first:
        await first.ready()
        discord.faults.add("delay", PAGES, count=1, seconds=0.01)
        discord.faults.add("throttle", PAGES, variant="hour")
        await moderation.scan()
        await first.hear("discord.rate_limited")
        async with Embedded(tmp_path / "data") as database:
            ((status,),) = await ask(database.url, "select status::text from bot_channel_scan_runs")
            assert status == "running"
        assert 0 == await first.stop()
    discord.faults.clear()
    async with program("run", environ, tmp_path) as second:
        await moderation.finished()
        async with Embedded(tmp_path / "data") as database:
            assert moderation.truth == await clips(database.url)
            (figures,) = await ask(database.url, "select messages_scanned, clips_found from bot_channel_scan_runs")
            assert (250, len(moderation.truth)) == tuple(figures)
        assert 0 == await second.stop()
    assert_well_logged(second, discord)


async def test_a_scan_outlives_a_kill(discord: Simulator, moderation: Moderation, tmp_path: Path) -> None:
    """A kill -9 leaves no server behind; the next start finds the rest of what is there."""
    environ = settings(discord, tmp_path, CLIPSAVER_SCANS_LEASE_SECONDS="1")
    async with program("run", environ, tmp_path) as first:
        await first.ready()
        discord.faults.add("delay", PAGES, count=1, seconds=0.01)
        discord.faults.add("stall", PAGES, seconds=600)
        await moderation.scan()
        await until(lambda: sum(fault.happened for fault in discord.faults.faults) > 1)
        server = postmaster(tmp_path)
        assert is_alive(server)
        first.process.kill()
        assert -signal.SIGKILL == await first.ended()
        await until(lambda: not is_alive(server))
    discord.faults.clear()
    async with program("run", environ, tmp_path) as second:
        await moderation.finished()
        async with Embedded(tmp_path / "data") as database:
            assert moderation.truth == await clips(database.url)
        assert 0 == await second.stop()


async def test_a_second_signal_ends_it_at_once(discord: Simulator, database_url: str, tmp_path: Path) -> None:
    """Whoever sends two signals wants no farewell."""
    environ = settings(discord, tmp_path, CLIPSAVER_DATABASE_URL=database_url)
    async with program("worker", environ, tmp_path) as run:
        await run.ready()
        run.process.send_signal(signal.SIGSTOP)  # so that it finds both at once
        run.process.send_signal(signal.SIGINT)
        run.process.send_signal(signal.SIGTERM)
        assert await run.stop(signal.SIGCONT, within=5) in {128 + signal.SIGINT, 128 + signal.SIGTERM}
    assert run.said("process.ended") is None


# ── starts that can't succeed ──


@contextmanager
def taken_port() -> Iterator[int]:
    """Listen somewhere."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield int(listening.getsockname()[1])


async def failed(role: str, environ: dict[str, str], simulator: Simulator, folder: Path) -> str:
    """Start what can't start; the one sentence it says."""
    async with program(role, environ, folder) as run:
        assert 0 < await run.ended()
    assert_well_logged(run, simulator)
    (line,) = run.critical
    assert line["event"] == "start.failed"
    reason = str(line["reason"])
    assert reason.endswith((".", "?"))
    return reason


async def test_a_taken_port(discord: Simulator, database_url: str, tmp_path: Path) -> None:
    """Another program listens there."""
    with taken_port() as port:
        environ = settings(discord, tmp_path, CLIPSAVER_DATABASE_URL=database_url, CLIPSAVER_WEB_PORT=str(port))
        assert f"Port {port}" in await failed("run", environ, discord, tmp_path)


async def test_a_bad_token(discord: Simulator, database_url: str, tmp_path: Path) -> None:
    """Discord doesn't know it."""
    wrong = f"{discord.token[:-4]}nope"
    environ = settings(discord, tmp_path, CLIPSAVER_DATABASE_URL=database_url, BOT_TOKEN=wrong)
    assert "Discord refused the bot token" in await failed("bot", environ, discord, tmp_path)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"CLIPSAVER_DATABASE_URL": NOTHING_ANSWERS}, "nothing answers there"),
        ({"CLIPSAVER_SCAN_CONCURRENCY": "5"}, "CLIPSAVER_SCAN_CONCURRENCY"),
    ],
    ids=["database", "key"],
)
async def test_a_bad_configuration(change: dict[str, str], part: str, discord: Simulator, tmp_path: Path) -> None:
    """What was set can't be used."""
    assert part in await failed("run", settings(discord, tmp_path, **change), discord, tmp_path)


async def test_an_end_by_the_gateway(discord: Simulator, database_url: str, tmp_path: Path) -> None:
    """Discord closes the session for good: an intent was taken away."""
    environ = settings(discord, tmp_path, CLIPSAVER_DATABASE_URL=database_url)
    async with program("run", environ, tmp_path) as run:
        await run.ready()
        discord.gateway.close(4014, "Disallowed intent(s).")
        assert 1 == await run.ended()
    (line,) = run.critical
    assert "4014" in line["reason"]
    assert_well_logged(run, discord)

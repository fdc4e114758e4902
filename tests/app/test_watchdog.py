"""A gateway session is kept, whatever happens to it, and as seldom begun as Discord wants."""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from attrs import evolve

from clipsaver.app import watchdog as module
from clipsaver.app.bot import Bot
from clipsaver.app.gateway_troubles import Trouble
from clipsaver.app.ground import Ground, ground
from clipsaver.app.watchdog import PATIENCE, Patience, end_shards
from clipsaver.clips.picturing.service import Pictures
from clipsaver.clips.saving.service import Saving
from clipsaver.errors import StartFailed
from clipsaver.scans.service import Scans
from clipsaver.simulator.gateway import Gateway
from clipsaver.simulator.server import Simulator
from tests.app.conftest import Configure
from tests.app.programs import until

QUICK = Patience(ready=20, look=0.02, first_pause=0.01, longest_pause=0.02, longest_question=0.02, spacing=0.0)
FOR_EVER = 1_000_000


@pytest.fixture
async def below(configure: Configure) -> AsyncIterator[Ground]:
    """What it stands on."""
    async with ground(configure()) as made:
        made.rest.pause = 0.001
        yield made


@pytest.fixture
def bot(below: Ground) -> Bot:
    """A bot that has not begun, and whose watchdog is impatient."""
    made = Bot.of(
        below, Scans(pool=below.pool, defaults=below.defaults), Saving(pool=below.pool), Pictures(pool=below.pool)
    )
    made.watchdog.patience = QUICK
    return made


@pytest.fixture
def gateway(discord: Simulator) -> Gateway:
    """What goes wrong."""
    return discord.gateway


def is_there(bot: Bot) -> bool:
    """Whether the session stands and all it brings has come."""
    return bot.commands.registered and bot.state.synchronised and bot.connected == {0: True}


@asynccontextmanager
async def running(bot: Bot, *, ready: bool = True) -> AsyncIterator[asyncio.Task[None]]:
    """Run a bot, and end it in order if it is still there."""
    task = asyncio.create_task(bot.run())
    try:
        if ready:
            await until(lambda: is_there(bot) or task.done())
        yield task
        if not task.done():
            await bot.stop()
            await asyncio.wait_for(task, 60)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert not bot.gateway.is_alive
    assert of_shards() == []


def of_shards() -> list[str]:
    """The tasks that hikari has for shards."""
    names = [task.get_name() for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith(module.TASKS_OF_SHARDS)]


async def came_back(bot: Bot, reason: str, *, times: int = 1) -> None:
    """Wait until a session was begun anew for a reason, and stands."""
    await until(lambda: bot.watchdog.reconnects[reason] >= times and is_there(bot))
    assert bot.watchdog.waiting() == {}


@pytest.mark.parametrize("code", [4001, 4003, 4005, 4006, 4999])
async def test_closes_that_hikari_gives_up_on(bot: Bot, gateway: Gateway, code: int) -> None:
    """Discord's documents say that one may reconnect, or say nothing of the code: there is a new session."""
    async with running(bot):
        (before,) = gateway.sessions
        gateway.close(code, "on demand")
        await came_back(bot, f"closed_{code}" if code in {4001, 4003, 4005} else "closed")
        assert gateway.sessions.keys() - {before}
        assert bot.watchdog.reconnects.total() == 1


@pytest.mark.parametrize("code", [4007, 4009])
async def test_a_resume_that_is_always_refused(bot: Bot, gateway: Gateway, code: int) -> None:
    """Hikari would resume for ever; after a while there is a new session, and nothing is left of the attempts."""
    bot.watchdog.patience = evolve(QUICK, away=2.5)
    async with running(bot):
        gateway.resumes_closed_with = code
        gateway.drop()
        await came_back(bot, "disconnected")
        assert Counter(name.partition(" (")[0] for name in of_shards()) == Counter(
            ["keep alive", "heartbeat", "poll events"]
        )


async def test_a_session_that_hikari_takes_up(bot: Bot, gateway: Gateway) -> None:
    """It is left alone, and counted."""
    async with running(bot):
        (before,) = gateway.sessions
        gateway.send_reconnect()
        await came_back(bot, "dropped")
        assert bot.watchdog.reconnects == {"dropped": 1}
        assert gateway.sessions.keys() == {before}


def refuse(gateway: Gateway) -> Callable[[], object]:
    """Op 9 to every Identify."""
    gateway.refused = FOR_EVER
    return lambda: setattr(gateway, "refused", 0)


def say_nothing(gateway: Gateway) -> Callable[[], object]:
    """No READY."""
    gateway.unanswered = FOR_EVER
    return lambda: setattr(gateway, "unanswered", 0)


def greet_nobody(gateway: Gateway) -> Callable[[], object]:
    """No Hello."""
    gateway.delay = 600
    return lambda: setattr(gateway, "delay", 0)


def turn_away(gateway: Gateway) -> Callable[[], object]:
    """Op 7 in place of Hello."""
    gateway.turned_away = FOR_EVER
    return lambda: setattr(gateway, "turned_away", 0)


@pytest.mark.parametrize("wrong", [refuse, say_nothing, greet_nobody, turn_away])
async def test_a_session_that_is_never_ready(
    bot: Bot, gateway: Gateway, wrong: Callable[[Gateway], Callable[[], object]]
) -> None:
    """It is tried again, with pauses, until all is well."""
    bot.watchdog.patience = evolve(QUICK, ready=-4.5)  # five seconds are given for each shard
    well_again = wrong(gateway)
    async with running(bot, ready=False):
        await until(lambda: bot.watchdog.reconnects["not_ready"] >= 2)
        assert bot.connected == {}
        bot.watchdog.patience = QUICK
        well_again()
        await until(lambda: is_there(bot))
        assert bot.watchdog.reconnects.keys() == {"not_ready"}


async def test_an_event_that_hikari_breaks_on(bot: Bot, gateway: Gateway) -> None:
    """The shard's end is noticed, whatever it was."""
    async with running(bot):
        gateway.send_nonsense()
        await came_back(bot, "broken")


async def test_an_end_without_a_reason(bot: Bot) -> None:
    """Somebody closed hikari."""
    async with running(bot):
        await bot.gateway.close()
        await came_back(bot, "ended")


async def test_sessions_that_never_last(bot: Bot, gateway: Gateway) -> None:
    """Hikari would begin one a second until the day's are used up; it is stopped, and made to pause."""
    bot.watchdog.patience = evolve(QUICK, flaps=2)
    async with running(bot):
        gateway.invalidate()
        await until(lambda: bot.watchdog.reconnects["unstable"])
        await came_back(bot, "unstable")
        assert bot.watchdog.reconnects["dropped"] == 1


async def test_pauses_grow_and_are_bounded(bot: Bot) -> None:
    """From a second to ten minutes, never the same; after a good session they begin anew."""
    bot.watchdog.patience = PATIENCE
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    bot.watchdog.sleep = sleep
    for _ in range(40):
        await bot.watchdog._pause(Trouble("ended"))
    assert 450 <= min(slept[12:]) < max(slept) <= 600
    assert all(2**n * 0.75 <= seconds <= 2**n for n, seconds in enumerate(slept[:9]))
    # With what hikari begins in between, a day stays below Discord's thousand.
    assert PATIENCE.flaps * 86_400 / (0.75 * PATIENCE.longest_pause) < 1_000


async def test_a_good_session_ends_the_row(bot: Bot, gateway: Gateway) -> None:
    """The next trouble is a first one."""
    bot.watchdog.patience = evolve(QUICK, steady=0.0)
    async with running(bot):
        for times in (1, 2):
            gateway.close(4001)
            await came_back(bot, "closed_4001", times=times)
            await until(lambda: bot.watchdog._troubles == 0)


async def test_identifies_keep_their_distance(bot: Bot) -> None:
    """Discord: one in five seconds."""
    now, slept = 1_000.0, list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    bot.watchdog.patience = evolve(QUICK, spacing=5.0)
    bot.watchdog.clock = lambda: now
    bot.watchdog.sleep = sleep
    async with running(bot):
        assert slept == []
        now += 2
        await bot.gateway.close()
        await came_back(bot, "ended")
        assert slept[1:] == [3.0]


async def test_no_session_is_left_for_today(bot: Bot, gateway: Gateway) -> None:
    """It is said until when, and waited for; nothing is begun meanwhile."""
    gateway.starts.total = 0
    waits = asyncio.Event()
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await waits.wait()

    bot.watchdog.sleep = sleep
    bot.watchdog.patience = evolve(QUICK, spacing=5.0)
    async with running(bot, ready=False):
        await until(lambda: slept)
        waiting = bot.watchdog.waiting()
        assert waiting["trouble"] == "no_sessions_left"
        assert 0 < float(str(waiting["goes_on_in"])) <= 5
        assert (slept, gateway.sessions, gateway.connections) == ([5.0], {}, [])
        gateway.starts.total = 1
        waits.set()
        await until(lambda: is_there(bot))
        assert bot.watchdog.waiting() == {}


async def test_discord_does_not_answer(bot: Bot, discord: Simulator) -> None:
    """Neither at the start nor later is that an end."""
    fault = discord.faults.add("status", "GET /gateway/bot", status=503)
    async with running(bot, ready=False):
        await until(lambda: bot.watchdog.waiting().get("trouble") == "unreachable" and fault.happened > 10)
        discord.faults.clear()
        await until(lambda: is_there(bot))
        refused = discord.faults.add("forbidden", "GET /gateway/bot")
        discord.gateway.close(4001)
        await until(lambda: refused.happened > 2)
        discord.faults.clear()
        await came_back(bot, "closed_4001")


async def test_a_gateway_that_nobody_tells(bot: Bot, discord: Simulator) -> None:
    """At a first start a refusal is for a person to look at."""
    discord.faults.add("forbidden", "GET /gateway/bot")
    async with running(bot, ready=False) as task:
        with pytest.raises(StartFailed, match="would not say where its gateway is"):
            await task


async def test_an_intent_that_was_switched_off(bot: Bot, discord: Simulator) -> None:
    """What Discord calls final at an Identify ends the program too."""
    discord.world.application.flags = 0
    async with running(bot, ready=False) as task:
        with pytest.raises(StartFailed, match="switch the Message Content Intent on"):
            await task
    assert bot.watchdog.reconnects == {}


async def test_twenty_new_sessions_leave_nothing_behind(bot: Bot, gateway: Gateway) -> None:
    """As many tasks and open files as after the first."""

    def count() -> tuple[int, int]:
        return len(asyncio.all_tasks()), len(list(Path(f"/proc/{os.getpid()}/fd").iterdir()))

    async with running(bot):
        gateway.close(4001)
        await came_back(bot, "closed_4001")
        tasks, files = count()
        for times in range(2, 22):
            gateway.close(4001)
            await came_back(bot, "closed_4001", times=times)
        await until(lambda: count()[0] <= tasks and count()[1] <= files)


@pytest.mark.parametrize("patience", [evolve(QUICK, first_pause=600, longest_pause=600), evolve(QUICK, spacing=600)])
async def test_an_end_while_it_waits(bot: Bot, gateway: Gateway, patience: Patience) -> None:
    """Nobody has to wait for a pause."""
    async with running(bot) as task:
        bot.watchdog.patience = patience
        gateway.close(4001)
        await until(bot.watchdog.waiting)
        await bot.stop()
        await asyncio.wait_for(task, 60)


async def test_a_session_that_will_not_end(bot: Bot, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then a new one can't be begun, and the program ends."""
    close, let_it = bot.gateway.close, asyncio.Event()

    async def hold() -> None:
        await let_it.wait()
        await close()

    monkeypatch.setattr(module, "CLOSING", 0.01)
    monkeypatch.setattr(type(bot.gateway), "close", lambda _: hold())
    async with running(bot) as task:
        gateway.close(4001)
        with pytest.raises(StartFailed, match="would not end"):
            await asyncio.wait_for(task, 60)
        let_it.set()
        await until(lambda: not bot.gateway.is_alive)


async def test_a_shard_that_refuses_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked a bounded number of times; what failed by itself has been heard."""
    asked = 0

    async def stay() -> None:
        nonlocal asked
        while asked < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                asked += 1

    async def fail() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("failed")

    monkeypatch.setattr(module, "CANCELLATIONS", 1)
    shard = asyncio.create_task(stay(), name="keep alive (shard 0)")
    beats = asyncio.create_task(fail(), name="heartbeat (shard 0)")
    await asyncio.sleep(0)
    await end_shards()
    assert (1, False, True) == (asked, shard.done(), beats.done())
    await end_shards()
    assert (2, True) == (asked, shard.done())

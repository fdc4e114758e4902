"""The gateway bot starts, stays and ends; an end that Discord makes has its reason."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from clipsaver.app.bot import Bot, as_error
from clipsaver.app.ground import Ground, ground
from clipsaver.clips.picturing.service import Pictures
from clipsaver.clips.saving.service import Saving
from clipsaver.errors import StartFailed
from clipsaver.scans.service import Scans
from clipsaver.simulator.server import Simulator
from tests.app.conftest import Configure
from tests.app.programs import until

PATIENCE = 60.0


@pytest.fixture
async def below(configure: Configure) -> AsyncIterator[Ground]:
    """What it stands on."""
    async with ground(configure()) as made:
        yield made


@pytest.fixture
def bot(below: Ground) -> Bot:
    """A bot that has not begun."""
    return Bot.of(
        below, Scans(pool=below.pool, defaults=below.defaults), Saving(pool=below.pool), Pictures(pool=below.pool)
    )


async def ended(bot: Bot, *, first: Callable[[], Awaitable[None]]) -> None:
    """Run a bot to its end, and do something meanwhile."""
    running = asyncio.create_task(bot.run())
    try:
        await first()
        await asyncio.wait_for(running, PATIENCE)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert not bot.gateway.is_alive
    assert [] == [task for task in asyncio.all_tasks() if task.get_name().startswith("keep alive")]


async def there(bot: Bot) -> None:
    """Wait until the bot is wholly there."""
    await until(lambda: bot.commands.registered and bot.state.synchronised and bot.connected == {0: True})


async def test_it_stays_until_told(bot: Bot, discord: Simulator) -> None:
    """It connects, registers its commands, knows its guilds, and leaves in order."""

    async def first() -> None:
        await there(bot)
        assert discord.gateway.sessions
        await bot.part.stop()

    await ended(bot, first=first)
    assert {} == bot.connected
    await asyncio.wait_for(discord.gateway.deserted(), PATIENCE)


async def test_an_end_while_it_connects(bot: Bot, discord: Simulator) -> None:
    """A gateway that says nothing doesn't hold up the end."""
    discord.gateway.delay = 600

    async def first() -> None:
        await until(lambda: discord.gateway.connections)
        await bot.stop()

    await ended(bot, first=first)
    discord.gateway.delay = 0


async def fails(bot: Bot, *, first: Callable[[], Awaitable[None]] | None = None) -> str:
    """Return the sentence that it ends with."""

    async def nothing() -> None:
        pass

    with pytest.raises(StartFailed) as failed:
        await ended(bot, first=first or nothing)
    return str(failed.value)


async def test_a_close_code_that_is_final(bot: Bot, discord: Simulator) -> None:
    """What Discord calls final ends the bot, with what is to be done."""

    async def first() -> None:
        await there(bot)
        discord.gateway.close(4014, "Disallowed intent(s).")

    assert "switch the Message Content Intent on" in await fails(bot, first=first)


async def test_a_token_that_is_no_longer_good(bot: Bot, discord: Simulator) -> None:
    """It worked a moment ago."""
    discord.faults.add("unauthorized", "GET /gateway/bot")
    assert "Discord refused the bot token" in await fails(bot)


async def test_a_critical_line_of_hikari(bot: Bot) -> None:
    """An error comes of each, and that is the one sentence."""
    assert bot.gateway is not None
    assert as_error in logging.getLogger("hikari.bot").filters


@pytest.mark.parametrize(("level", "expected"), [("INFO", "INFO"), ("ERROR", "ERROR"), ("CRITICAL", "ERROR")])
def test_levels_of_hikari(level: str, expected: str) -> None:
    """Only what is above an error is lowered."""
    number = logging.getLevelNamesMapping()[level]
    record = logging.LogRecord("hikari.bot", number, "", 0, "text", (), None)
    assert as_error(record)
    assert (expected, logging.getLevelNamesMapping()[expected]) == (record.levelname, record.levelno)


async def test_a_loop_that_breaks(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes the events may not be gone while the session stands."""
    broken = asyncio.Event()

    async def run(_: object) -> None:
        await broken.wait()
        raise ValueError("broken")

    monkeypatch.setattr(type(bot.events), "run", run)

    async def first() -> None:
        await until(lambda: bot.commands.registered)
        broken.set()

    with pytest.raises(ValueError, match="broken"):
        await ended(bot, first=first)

"""What every role stands on: there, or one sentence that says why not."""

import asyncio

import pytest
from structlog.testing import capture_logs

from clipsaver.app import ground as module
from clipsaver.app.ground import ground, who_we_are
from clipsaver.discord.rest import Rest
from clipsaver.errors import StartFailed
from clipsaver.simulator.server import Simulator
from tests.app.conftest import Configure
from tests.app.programs import until
from tests.fixtures.discord import StartSimulator

NOBODY = "http://127.0.0.1:1/api/v10"


async def test_all_is_there(configure: Configure, discord: Simulator) -> None:
    """The database has its schema, and Discord has said who we are."""
    async with ground(configure(CLIPSAVER_GUILD_DEFAULTS_SAVE_BYTES="false")) as below:
        assert discord.world.bot_id == below.application.bot_id
        assert discord.world.application.id == below.application.id
        assert below.rest.budget is None
        assert below.defaults["save_bytes"] is False
        assert 0 == await below.pool.fetchval("select count(*) from bot_guilds")


async def test_requests_are_metered(configure: Configure) -> None:
    """With a rate in the configuration, requests are taken from the budget of all processes."""
    async with ground(configure(CLIPSAVER_DISCORD_REQUESTS_PER_SECOND="40")) as below:
        assert below.rest.budget is not None
        assert 1 == await below.pool.fetchval("select count(*) from budget")


async def fails(configure: Configure, **changes: str) -> str:
    """Return the sentence that the start ends with."""
    with pytest.raises(StartFailed) as failed:
        async with ground(configure(**changes)):
            pass
    return str(failed.value)


async def test_no_token(configure: Configure, discord: Simulator) -> None:
    """Without a token Discord isn't even asked."""
    assert "BOT_TOKEN" in await fails(configure, BOT_TOKEN="")
    assert 0 == discord.stats.requests.total()


async def test_a_bad_token(configure: Configure) -> None:
    """Discord doesn't know the token: what to do about it."""
    assert "Discord refused the bot token" in await fails(configure, BOT_TOKEN="wrong")


async def test_a_refusal(configure: Configure, discord: Simulator) -> None:
    """Discord refuses for another reason."""
    discord.faults.add("forbidden", "GET /applications/@me")
    assert "Discord would not say who the bot is: " in await fails(configure)


async def test_bad_defaults(configure: Configure) -> None:
    """The setting is named."""
    assert (await fails(configure, CLIPSAVER_GUILD_DEFAULTS_MATCH_REGEX="(")).startswith("guild_defaults.match_regex: ")


async def test_discord_is_away(configure: Configure) -> None:
    """Nothing answers: where that was."""
    async with Rest(token="t", url=NOBODY, pause=0.001) as rest:
        with pytest.raises(StartFailed, match=f"can't be reached at {NOBODY}: "):
            await who_we_are(rest)


async def test_message_content_is_off(simulate: StartSimulator) -> None:
    """Scans would see no clip: where to switch it on."""
    discord = await simulate(plan={"messages": 0, "message_content": False})
    async with Rest(token=discord.token, url=discord.rest_url) as rest:
        with pytest.raises(StartFailed, match="Message Content Intent"):
            await who_we_are(rest)


async def test_flags_may_be_missing(discord: Simulator) -> None:
    """A Discord that doesn't tell the application's flags is taken at its word when scans read."""
    discord.faults.add("omit", "GET /applications/@me", fields=frozenset({"flags"}), share=1.0)
    async with Rest(token=discord.token, url=discord.rest_url) as rest:
        assert (await who_we_are(rest)).may_read_content is None


async def test_connections_in_use_do_not_hold_up_the_end(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that nobody gives back is closed all the same."""
    monkeypatch.setattr(module, "CLOSING", 0.05)
    with capture_logs() as lines:
        async with ground(configure()) as below:
            await below.pool.acquire()
    assert "database.closed_by_force" in {line["event"] for line in lines}
    assert below.pool.is_closing()


async def test_an_end_while_it_opens(configure: Configure, discord: Simulator) -> None:
    """A start that is cancelled while Discord doesn't answer closes what it has opened."""
    discord.faults.add("stall", "GET /applications/@me", seconds=600)

    async def opened() -> None:
        async with ground(configure()):
            pass

    starting = asyncio.create_task(opened())
    await until(lambda: discord.faults.faults[0].happened)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(starting, 60)

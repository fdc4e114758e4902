"""Commands are loaded, answered from the first moment, and registered until it worked."""

import asyncio
import sys
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any

import hikari
import lightbulb
import pytest

from clipsaver.app.commands import EXTENSIONS, Commands
from clipsaver.errors import StartFailed
from clipsaver.simulator.server import Simulator
from tests.fixtures.discord import StartSimulator

MODERATORS = [name for name in EXTENSIONS if not name.endswith(".guilds")]
MANAGE_SERVER = "32"


@pytest.fixture
async def discord(simulate: StartSimulator) -> Simulator:
    """A Discord with one small guild."""
    return await simulate(plan={"messages": 0})


@pytest.fixture
async def bot(discord: Simulator) -> AsyncIterator[hikari.GatewayBot]:
    """A bot that has not begun yet."""
    made = hikari.GatewayBot(discord.token, rest_url=discord.rest_url, banner=None, logs=None)
    yield made
    if made.is_alive:
        await made.close()


def registered(discord: Simulator) -> dict[str, Any]:
    """Return the global commands as Discord has them."""
    assert discord.interactions is not None
    return {record["name"]: record for record in discord.interactions.commands.usable(None)}


async def begun(bot: hikari.GatewayBot, **options: Any) -> Commands:
    """Start commands, then their bot."""
    commands = Commands(bot=bot, dependencies={}, **({"extensions": MODERATORS} | options))
    await commands.start()
    await bot.start(check_for_updates=False)
    return commands


async def test_registration(bot: hikari.GatewayBot, discord: Simulator) -> None:
    """Every command is for servers only, and for members who manage theirs."""
    commands = await begun(bot)
    before = commands.registered
    await commands.register()
    assert (before, commands.registered) == (False, True)
    found = registered(discord)
    assert {"scan", "read", "channel", "settings"} == set(found)
    assert all(record["default_member_permissions"] == MANAGE_SERVER for record in found.values())
    assert all(record["contexts"] == [0] for record in found.values())
    await commands.stop()


async def test_a_second_start_changes_nothing(bot: hikari.GatewayBot, discord: Simulator) -> None:
    """Commands that are as they should be are not written again."""
    commands = await begun(bot)
    await commands.register()
    before = registered(discord)
    commands.registered = False
    await commands.register()
    assert before == registered(discord)
    assert discord.stats.requests["PUT /applications/{application_id}/commands"] == 1


async def test_permissions_alone_are_noticed(bot: hikari.GatewayBot, discord: Simulator) -> None:
    """A command whose default permissions alone differ is written again."""
    commands = await begun(bot)
    await commands.register()
    assert discord.interactions is not None
    store = discord.interactions.commands
    record = registered(discord)["scan"]
    store.edit(None, int(record["id"]), {"default_member_permissions": None})
    commands.registered = False
    await commands.register()
    assert registered(discord)["scan"]["default_member_permissions"] == MANAGE_SERVER


async def test_registration_is_tried_until_it_works(bot: hikari.GatewayBot, discord: Simulator) -> None:
    """A registration that Discord refuses is said and tried again, after longer and longer pauses."""
    discord.faults.add("forbidden", "GET /applications/*/commands", count=3)
    pauses: list[tuple[float, bool, str | None]] = []

    async def sleep(seconds: float) -> None:
        pauses.append((seconds, commands.registered, commands.problem))

    commands = await begun(bot, sleep=sleep)
    await asyncio.wait_for(commands.register(), 60)
    assert commands.registered
    assert commands.problem is None
    assert all(0.8 * longer <= pause <= 1.2 * longer for longer, (pause, _, _) in zip((2, 4, 8), pauses, strict=True))
    assert all(not known and problem is not None and "registering" in problem for _, known, problem in pauses)


@pytest.mark.parametrize("name", ["clipsaver.extensions.nowhere", "clipsaver.extensions"])
async def test_a_missing_extension_is_fatal(bot: hikari.GatewayBot, name: str) -> None:
    """A part that isn't there, or is none, stops the start with its name."""
    with pytest.raises(StartFailed, match=name):
        await Commands(bot=bot, dependencies={}, extensions=[name]).start()


async def test_a_broken_extension_is_fatal(bot: hikari.GatewayBot, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that breaks while it is loaded stops the start."""
    broken = ModuleType("broken_extension")
    broken.loader = lightbulb.Loader()  # type: ignore[attr-defined]  # what makes a module an extension

    async def load(_: Any) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(lightbulb.Loader, "add_to_client", lambda *_: load(None))
    monkeypatch.setitem(sys.modules, "broken_extension", broken)
    with pytest.raises(StartFailed, match="ValueError: broken"):
        await Commands(bot=bot, dependencies={}, extensions=["broken_extension"]).start()


def test_every_extension_is_listed() -> None:
    """All doors of the program are loaded, failures first so that they can tell of the others."""
    assert EXTENSIONS[0] == "clipsaver.extensions.failures"
    assert {"guilds", "scan", "read", "channel", "settings", "buttons"} <= {name.split(".")[-1] for name in EXTENSIONS}

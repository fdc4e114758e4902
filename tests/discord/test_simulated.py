"""The same ways against the built-in Discord: whole channels, limits with real headers, faults, lost permissions."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from clipsaver.discord.access import Access
from clipsaver.discord.application import describe
from clipsaver.discord.history import History, Page, proves
from clipsaver.discord.messages import Messages
from clipsaver.discord.permissions import Permission
from clipsaver.discord.rest import Rest
from clipsaver.discord.snapshots import structure_message
from clipsaver.simulator.faults import Kind
from clipsaver.simulator.limits import Limits, Window
from clipsaver.simulator.server import Simulator

StartSimulator = Callable[..., Awaitable[Simulator]]
HORIZON = 2**62


@asynccontextmanager
async def connected(simulator: Simulator) -> AsyncIterator[Rest]:
    """The bot's client."""
    async with Rest(token=simulator.token, url=simulator.rest_url, pause=0.01) as rest:
        yield rest


def text_channel(simulator: Simulator) -> int:
    """A channel with a past."""
    return max(simulator.world.histories, key=lambda channel_id: len(simulator.world.histories[channel_id]))


async def pages(history: History, channel_id: int) -> list[Page]:
    """The whole channel, backward."""
    bound, read = HORIZON, []
    while bound:
        page = await history.page(channel_id, before=bound)
        proved = proves(page, horizon=HORIZON)
        assert proved is not None
        assert proved.stop == bound
        bound = proved.start
        read.append(page)
    return read


async def test_a_whole_channel(simulate: StartSimulator) -> None:
    """Every message is read once, and every one with a clip can hold one and is understood."""
    simulator = await simulate(plan={"messages": 450})
    channel_id = text_channel(simulator)
    async with connected(simulator) as rest:
        read = await pages(History(rest=rest), channel_id)
    ids = [number for page in reversed(read) for number in page.ids]
    assert ids == sorted(set(ids))
    assert len(ids) == len(simulator.world.histories[channel_id])
    truth = simulator.world.truth(channel_id, nsfw_too=True)
    candidates = {raw.id: raw.payload for page in read for raw in page.messages if raw.has_media}
    assert set(truth) <= set(candidates)
    for number in truth:
        assert structure_message(candidates[number]).id == number


@pytest.mark.parametrize("window", ["fixed", "sliding"])
async def test_no_429_under_its_limits(simulate: StartSimulator, window: Window) -> None:
    """Its buckets are learned from its headers; a channel longer than one window is read without a refusal."""
    simulator = await simulate(plan={"messages": 700}, rate_limits=Limits(window=window))
    async with connected(simulator) as rest:
        read = await pages(History(rest=rest), text_channel(simulator))
        assert len(read) >= 7
        assert not rest.stats.throttled


@pytest.mark.parametrize("kind", ["status", "truncate", "not_json", "reset", "throttle", "omit", "null", "unknown"])
async def test_its_faults_pass(simulate: StartSimulator, kind: Kind) -> None:
    """What goes wrong twice is asked for again, and nothing is missing."""
    simulator = await simulate(plan={"messages": 250})
    simulator.faults.add(kind, "GET /channels/*/messages", count=2)
    channel_id = text_channel(simulator)
    async with connected(simulator) as rest:
        read = await pages(History(rest=rest), channel_id)
    assert sum(page.count for page in read) == len(simulator.world.histories[channel_id])
    for page in read:
        for raw in page.messages:
            structure_message(raw.payload)


async def test_who_the_bot_is_and_what_it_may(simulate: StartSimulator) -> None:
    """Intents and permissions are found out; one that is taken away is noticed when asked for afresh."""
    simulator = await simulate()
    channel_id = text_channel(simulator)
    async with connected(simulator) as rest:
        application = await describe(rest)
        assert application.may_read_content
        access = Access(rest=rest, bot_id=application.bot_id)
        assert (await access.of_bot(channel_id)).may_read
        simulator.world.set_overwrite(
            channel_id, application.bot_id, member=True, deny=int(Permission.READ_MESSAGE_HISTORY)
        )
        assert (await History(rest=rest).page(channel_id, before=HORIZON)).ids == ()
        found = await access.of_bot(channel_id, fresh=True)
    assert found.missing_to_read == ("Read Message History",)


async def test_its_messages(simulate: StartSimulator) -> None:
    """A message is sent, edited and deleted."""
    simulator = await simulate()
    channel_id = text_channel(simulator)
    async with connected(simulator) as rest:
        messages = Messages(rest=rest)
        number = await messages.send(channel_id, {"content": "one"})
        await messages.edit(channel_id, number, {"content": "two"})
        page = await History(rest=rest).page(channel_id, after=number - 1)
        assert [raw.payload["content"] for raw in page.messages] == ["two"]
        await messages.delete(channel_id, number)
        assert (await History(rest=rest).page(channel_id, after=number - 1)).ids == ()

"""The gateway against Discord's documents: handshake, sessions, intents, shards, and what closes a connection."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError

from clipsaver.simulator.entities import Guild, Role
from clipsaver.simulator.gateway import Gateway
from clipsaver.simulator.gateway.starts import Starts
from clipsaver.simulator.permissions import EVERYONE_DEFAULT, Permission
from clipsaver.simulator.world import World
from tests.simulator.shard import EVERYTHING, Clock, Line, identity, serve

GUILDS, MEMBERS, MESSAGES, DIRECT, CONTENT = 1 << 0, 1 << 1, 1 << 9, 1 << 12, 1 << 15


@pytest.fixture
def clock() -> Clock:
    """The world's clock."""
    return Clock()


@pytest.fixture
def world(clock: Clock) -> World:
    """A small world of three guilds."""
    world = World.from_seed(7, guilds=3, channels=2, messages=5, members=6, extras=True)
    world.clock = clock
    return world


@pytest.fixture
def gateway(world: World) -> Gateway:
    """Its gateway, with room for several identifies at once."""
    gateway = Gateway(world)
    gateway.starts.max_concurrency = 16
    return gateway


@pytest.fixture
async def line(gateway: Gateway) -> AsyncIterator[Line]:
    """The gateway, served."""
    async with serve(gateway) as line:
        yield line


def text_channel(world: World, guild_id: int | None = None) -> int:
    """A guild's first text channel."""
    guild = guild_id or next(iter(world.guilds))
    return next(one.id for one in world.channels_of(guild) if one.type == 0)


async def test_ready_names_everything_a_client_needs(line: Line, world: World) -> None:
    """READY has version, user, guild stubs, session, resume address, shard and application."""
    shard = await line.connect()
    ready = await shard.identify(world.token, shard=[0, 1])
    assert ready["v"] == 10
    assert ready["user"]["id"] == str(world.bot_id)
    assert ready["guilds"] == [{"id": str(one), "unavailable": True} for one in sorted(world.guilds)]
    assert ready["resume_gateway_url"].startswith("ws://127.0.0.1:")
    assert ready["shard"] == [0, 1]
    assert ready["application"] == {"id": str(world.application.id), "flags": world.application.flags}


async def test_ready_leaves_the_shard_out_if_none_was_named(line: Line, world: World) -> None:
    """Discord: ``shard`` only if sent when identifying."""
    assert "shard" not in await (await line.connect()).identify(world.token)


async def test_guilds_arrive_after_ready(line: Line, world: World) -> None:
    """Each guild of READY is filled in by a GUILD_CREATE with channels, threads, roles and the bot's own member."""
    shard = await line.connect()
    await shard.identify(world.token)
    guilds = [(await shard.until("GUILD_CREATE"))["d"] for _ in world.guilds]
    assert {int(one["id"]) for one in guilds} == set(world.guilds)
    for guild in guilds:
        assert guild["unavailable"] is False
        assert guild["channels"]
        assert guild["threads"]
        assert guild["roles"]
        assert [one["user"]["id"] for one in guild["members"]] == [str(world.bot_id)]
        assert guild["member_count"] == len(world.guilds[int(guild["id"])].members)


async def test_an_outage_shows_as_guild_delete(line: Line, world: World) -> None:
    """A guild that is down at the start comes as GUILD_DELETE with ``unavailable``."""
    down = next(iter(world.guilds))
    world.guilds[down].unavailable = True
    shard = await line.connect()
    await shard.identify(world.token)
    assert (await shard.until("GUILD_DELETE"))["d"] == {"id": str(down), "unavailable": True}


async def test_members_come_with_presences_only(line: Line, world: World) -> None:
    """With GUILD_PRESENCES a small guild lists everyone."""
    world.application.flags |= 1 << 13
    shard = await line.connect()
    await shard.identify(world.token, intents=GUILDS | 1 << 8, large_threshold=100)
    guild = (await shard.until("GUILD_CREATE"))["d"]
    assert len(guild["members"]) == guild["member_count"]


async def test_zlib_stream_is_one_context_flushed_at_each_payload(line: Line, world: World) -> None:
    """Transport compression: binary frames that end with the sync flush suffix."""
    shard = await line.connect("v=10&encoding=json&compress=zlib-stream")
    await shard.identify(world.token)
    assert (await shard.until("GUILD_CREATE"))["d"]["channels"]


async def test_large_packets_are_compressed_on_request(line: Line, world: World) -> None:
    """Payload compression: each compressed packet stands alone, small ones stay text."""
    shard = await line.connect()
    await shard.identify(world.token, compress=True)
    assert (await shard.until("GUILD_CREATE"))["d"]["channels"]


@pytest.mark.parametrize("query", ["v=10&encoding=etf", "v=10&encoding=json&compress=zstd-stream"])
async def test_what_the_simulator_does_not_speak_is_refused(line: Line, query: str) -> None:
    """Other encodings are refused before the websocket opens."""
    with pytest.raises(WSServerHandshakeError):
        await line.connect(query, hello=False)


async def test_an_old_version_is_closed(line: Line) -> None:
    """Discord: 4012."""
    assert await (await line.connect("v=6&encoding=json", hello=False)).closed() == 4012


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"token": "wrong"}, 4004),
        ({"token": None}, 4004),
        ({"intents": 1 << 30}, 4013),
        ({"intents": -1}, 4013),
        ({"intents": None}, 4013),
        ({"intents": 1 << 8}, 4014),
        ({"shard": [1, 1]}, 4010),
        ({"shard": [0]}, 4010),
        ({"shard": "0"}, 4010),
        ({"properties": None}, 4002),
    ],
)
async def test_a_bad_identify_is_closed(line: Line, world: World, more: dict[str, Any], code: int) -> None:
    """Each fault of an Identify has its close code."""
    shard = await line.connect()
    await shard.send(2, identity(world.token) | more)
    assert await shard.closed() == code


async def test_message_content_needs_the_applications_flag(line: Line, world: World) -> None:
    """A privileged intent that was not granted is 4014."""
    world.application.flags = 0
    shard = await line.connect()
    await shard.send(2, identity(world.token, intents=CONTENT))
    assert await shard.closed() == 4014


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("not json", 4002),
        ("[]", 4002),
        ('{"op": "2"}', 4002),
        ('{"op": 2, "d": 3}', 4002),
        ('{"op": 3, "d": {}}', 4003),
    ],
)
async def test_frames_that_make_no_sense(line: Line, data: str, code: int) -> None:
    """Decode errors are 4002; anything before identifying is 4003."""
    shard = await line.connect()
    await shard.socket.send_str(data)
    assert await shard.closed() == code


@pytest.mark.parametrize(
    ("op", "data", "code"),
    [(99, {}, 4001), (3, {"status": "asleep"}, 4001), (3, None, 4002), (2, {}, 4005), (6, {}, 4005)],
)
async def test_wrong_frames_in_a_session(line: Line, world: World, op: int, data: object, code: int) -> None:
    """Unknown opcodes, bad payloads and a second handshake each have their code."""
    shard = await line.connect()
    await shard.identify(world.token)
    await shard.send(op, data)
    assert await shard.closed() == code


async def test_a_payload_is_at_most_4096_bytes(line: Line) -> None:
    """One byte more is 4002."""
    shard = await line.connect()
    frame = '{"op": 1, "d": null, "x": ""}'
    await shard.socket.send_str(frame.replace('""', f'"{"a" * (4096 - len(frame))}"'))
    assert (await shard.receive())["op"] == 11
    await shard.socket.send_str(frame.replace('""', f'"{"a" * (4097 - len(frame))}"'))
    assert await shard.closed() == 4002


async def test_sends_are_limited_to_120_a_minute(line: Line, clock: Clock) -> None:
    """The 121st in a minute closes with 4008; older ones no longer count."""
    shard = await line.connect()
    for _ in range(100):
        await shard.send(1, None)
    for _ in range(100):
        assert (await shard.receive())["op"] == 11
    clock.now += 60
    for _ in range(121):
        await shard.send(1, None)
    assert await shard.closed() == 4008


async def test_heartbeats_are_acknowledged_and_missed(world: World) -> None:
    """A heartbeat gets its ACK; without one the connection is closed, and its session waits to be resumed."""
    gateway = Gateway(world, heartbeat_interval=100)
    async with serve(gateway) as line:
        shard = await line.connect()
        await shard.identify(world.token)
        await shard.send(1, shard.last)
        await shard.until(11)
        assert await shard.closed() == 4000
        again = await line.connect()
        await again.resume(world.token, shard)
        await again.until("RESUMED")


async def test_a_request_for_a_heartbeat(line: Line, gateway: Gateway, world: World) -> None:
    """Op 1 from the server."""
    shard = await line.connect()
    await shard.identify(world.token)
    gateway.request_heartbeat()
    await shard.until(1)


async def test_identifies_are_paced(line: Line, gateway: Gateway, world: World, clock: Clock) -> None:
    """Two of one key within five seconds: the second gets op 9; other keys and later ones are served."""
    gateway.starts.max_concurrency = 2
    await (await line.connect()).identify(world.token, shard=[0, 4])
    await (await line.connect()).identify(world.token, shard=[1, 4])
    late = await line.connect()
    await late.send(2, identity(world.token, shard=[2, 4]))
    assert (await late.until(9))["d"] is False
    clock.now += 5
    assert await late.identify(world.token, shard=[2, 4])


async def test_too_many_identifies_cost_the_token(line: Line, gateway: Gateway, world: World, clock: Clock) -> None:
    """Over the daily limit every session ends and the token is reset."""
    gateway.starts.total = 1
    token = world.token
    first = await line.connect()
    await first.identify(token)
    clock.now += 6
    second = await line.connect()
    await second.send(2, identity(token))
    await second.closed()
    await first.closed()
    assert token not in world.tokens


def test_the_start_limit_tells_what_is_left() -> None:
    """What /gateway/bot shows; a day later nothing counts any more."""
    clock = Clock()
    starts = Starts(clock=clock, total=10)
    assert starts.limit() == {"total": 10, "remaining": 10, "reset_after": 0, "max_concurrency": 1}
    assert starts.take(0)
    clock.now += 10
    assert starts.limit()["remaining"] == 9
    assert starts.limit()["reset_after"] == 86_390_000
    clock.now += 86_400
    assert starts.remaining == 10


async def test_a_session_is_resumed_with_what_was_missed(line: Line, gateway: Gateway, world: World) -> None:
    """After a cut wire the missed events come in order, then RESUMED."""
    shard = await line.connect()
    await shard.identify(world.token)
    await shard.until("GUILD_CREATE")
    gateway.drop()
    await shard.closed()
    message = world.send_message(text_channel(world), world.bot_id, content="missed")
    again = await line.connect()
    await again.resume(world.token, shard)
    assert (await again.until("MESSAGE_CREATE"))["d"]["id"] == str(message.id)
    await again.until("RESUMED")
    world.send_message(text_channel(world), world.bot_id, content="new")
    assert (await again.until("MESSAGE_CREATE"))["d"]["content"] == "new"


async def test_a_session_moves_to_the_connection_that_resumes_it(line: Line, world: World) -> None:
    """A resume while the old connection still stands takes the session away from it."""
    shard = await line.connect()
    await shard.identify(world.token)
    again = await line.connect()
    await again.resume(world.token, shard)
    await again.until("RESUMED")
    await shard.closed()
    world.send_message(text_channel(world), world.bot_id, content="new")
    assert (await again.until("MESSAGE_CREATE"))["d"]["content"] == "new"


@pytest.mark.parametrize("code", [1000, 1001])
async def test_a_client_that_leaves_for_good_ends_its_session(line: Line, world: World, code: int) -> None:
    """Closing with 1000 or 1001 invalidates the session: a resume gets op 9 with false."""
    shard = await line.connect()
    await shard.identify(world.token)
    await shard.socket.close(code=code)
    again = await line.connect()
    await again.resume(world.token, shard)
    assert (await again.until(9))["d"] is False


async def test_a_client_that_closes_otherwise_may_resume(line: Line, world: World) -> None:
    """Any other close code keeps the session."""
    shard = await line.connect()
    await shard.identify(world.token)
    await shard.socket.close(code=3000)
    again = await line.connect()
    await again.resume(world.token, shard)
    await again.until("RESUMED")


async def test_a_session_times_out(line: Line, world: World, clock: Clock, gateway: Gateway) -> None:
    """Nobody came for a few minutes: op 9 with false, and the next identify sweeps the rest."""
    shards = [await line.connect() for _ in range(2)]
    for number, shard in enumerate(shards):
        await shard.identify(world.token, shard=[number, 2])
        await shard.socket.close(code=3000)
    await gateway.deserted()
    clock.now += 181
    again = await line.connect()
    await again.resume(world.token, shards[0])
    assert (await again.until(9))["d"] is False
    assert len(gateway.sessions) == 1
    await again.identify(world.token, shard=[3, 4])
    assert len(gateway.sessions) == 1


async def test_a_buffer_that_ran_over_can_not_be_resumed(world: World) -> None:
    """Only so many events are kept."""
    gateway = Gateway(world, buffered=8)
    async with serve(gateway) as line:
        shard = await line.connect()
        await shard.identify(world.token)
        gateway.drop()
        await shard.closed()
        for _ in range(9):
            world.send_message(text_channel(world), world.bot_id, content="x")
        again = await line.connect()
        await again.resume(world.token, shard)
        assert (await again.until(9))["d"] is False


async def test_a_sequence_from_the_future_is_invalid(line: Line, world: World) -> None:
    """Discord: 4007, start a new session."""
    shard = await line.connect()
    await shard.identify(world.token)
    again = await line.connect()
    await again.resume(world.token, shard, seq=10_000)
    assert await again.closed() == 4007


@pytest.mark.parametrize(
    ("more", "code"), [({"token": "x"}, 4004), ({"session_id": 3}, 4002), ({"seq": "1"}, 4007), ({"seq": -1}, 4007)]
)
async def test_a_bad_resume_is_closed(line: Line, world: World, more: dict[str, Any], code: int) -> None:
    """Each fault of a Resume has its close code."""
    shard = await line.connect()
    await shard.send(6, {"token": world.token, "session_id": "x", "seq": 1} | more)
    assert await shard.closed() == code


async def test_reconnect_and_invalid_sessions_on_demand(line: Line, gateway: Gateway, world: World) -> None:
    """Op 7 leaves the session whole; op 9 with false ends it."""
    shard = await line.connect()
    await shard.identify(world.token)
    gateway.send_reconnect()
    await shard.until(7)
    gateway.invalidate(resumable=True)
    assert (await shard.until(9))["d"] is True
    gateway.invalidate()
    assert (await shard.until(9))["d"] is False
    assert not gateway.sessions
    await shard.send(3, {"status": "idle"})
    assert await shard.closed() == 4003


@pytest.mark.parametrize(("code", "then"), [(4000, "RESUMED"), (4008, "RESUMED"), (4007, 9), (4009, 9), (4014, 9)])
async def test_closes_have_their_documented_effect(
    line: Line, gateway: Gateway, world: World, code: int, then: str | int
) -> None:
    """Codes that say to start a new session end the old one."""
    shard = await line.connect()
    await shard.identify(world.token)
    gateway.close(code, "on demand", shard=0)
    assert await shard.closed() == code
    again = await line.connect()
    await again.resume(world.token, shard)
    await again.until(then)


async def test_a_mute_gateway_keeps_its_sockets_open(line: Line, gateway: Gateway, world: World) -> None:
    """No event and no ACK comes; what was missed comes after a resume."""
    shard = await line.connect()
    await shard.identify(world.token)
    for _ in world.guilds:
        await shard.until("GUILD_CREATE")
    gateway.mute()
    world.send_message(text_channel(world), world.bot_id, content="unheard")
    await shard.send(1, shard.last)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(shard.receive(), 0.05)
    again = await line.connect()
    await again.resume(world.token, shard)
    assert (await again.until("MESSAGE_CREATE"))["d"]["content"] == "unheard"


async def test_frames_can_be_held_back(line: Line, gateway: Gateway, world: World) -> None:
    """A slow gateway still says everything."""
    gateway.delay = 0.001
    shard = await line.connect()
    await shard.identify(world.token)
    await shard.until("GUILD_CREATE")


async def test_events_can_be_lost_doubled_and_swapped(line: Line, gateway: Gateway, world: World) -> None:
    """Discord: events come zero, one or several times, and seldom out of order."""
    shard = await line.connect()
    await shard.identify(world.token)
    channel = text_channel(world)
    gateway.lose("MESSAGE_CREATE")
    gateway.double("MESSAGE_CREATE")
    gateway.swap("MESSAGE_CREATE")
    for number in range(4):
        world.send_message(channel, world.bot_id, content=str(number))
    contents = [(await shard.until("MESSAGE_CREATE"))["d"]["content"] for _ in range(4)]
    assert contents == ["1", "1", "3", "2"]


async def test_intents_decide_what_is_heard(line: Line, world: World) -> None:
    """Without GUILD_MESSAGES no message comes; its own member changes come without GUILD_MEMBERS."""
    shard = await line.connect()
    await shard.identify(world.token, intents=GUILDS)
    guild = next(iter(world.guilds))
    person = next(one for one in world.guilds[guild].members if one != world.bot_id)
    world.send_message(text_channel(world, guild), person, content="unheard")
    world.update_member(guild, person, nick="unheard")
    world.update_member(guild, world.bot_id, nick="heard")
    world.update_channel(text_channel(world, guild), topic="heard")
    names = [(await shard.until("GUILD_CREATE"))["t"] for _ in world.guilds]
    names += [(await shard.receive())["t"] for _ in range(2)]
    assert names[-2:] == ["GUILD_MEMBER_UPDATE", "CHANNEL_UPDATE"]


async def test_no_guilds_intent_no_guilds(line: Line, world: World) -> None:
    """READY alone, and no GUILD_CREATE, without the GUILDS intent."""
    shard = await line.connect()
    await shard.identify(world.token, intents=MESSAGES)
    world.send_message(text_channel(world), world.bot_id, content="first")
    assert (await shard.receive())["t"] == "MESSAGE_CREATE"


async def test_content_is_blank_without_its_intent(line: Line, world: World) -> None:
    """Others' content is blank but for mentions; its own and direct messages stay whole."""
    shard = await line.connect()
    await shard.identify(world.token, intents=MESSAGES | DIRECT)
    guild = next(iter(world.guilds))
    channel = text_channel(world, guild)
    person = next(one for one in world.guilds[guild].members if one != world.bot_id)
    direct = world.create_channel(None, kind=1, recipients=[person, world.bot_id]).id
    world.send_message(channel, person, content="secret", attachments=[world.make_attachment(channel)])
    world.send_message(channel, person, content="for you", mentions=(world.bot_id,))
    world.send_message(channel, world.bot_id, content="mine")
    world.send_message(direct, person, content="hello")
    seen = [(await shard.until("MESSAGE_CREATE"))["d"] for _ in range(4)]
    assert [one["content"] for one in seen] == ["", "for you", "mine", "hello"]
    assert seen[0]["attachments"] == []


async def test_thread_members_without_the_members_intent(line: Line, gateway: Gateway, world: World) -> None:
    """Only what concerns the bot itself comes."""
    shard = await line.connect()
    await shard.identify(world.token, intents=GUILDS)
    guild = next(iter(world.guilds))
    gateway.dispatch("THREAD_MEMBERS_UPDATE", {"id": "1", "added_members": [{"user_id": "5"}]}, guild)
    gateway.dispatch("THREAD_MEMBERS_UPDATE", {"id": "2", "removed_member_ids": [str(world.bot_id)]}, guild)
    assert (await shard.until("THREAD_MEMBERS_UPDATE"))["d"]["id"] == "2"


async def test_guilds_are_routed_by_shard(line: Line, world: World) -> None:
    """(guild_id >> 22) % shards decides; what has no guild goes to shard 0."""
    count = 3
    shards = [await line.connect() for _ in range(count)]
    for number, shard in enumerate(shards):
        ready = await shard.identify(world.token, shard=[number, count], intents=GUILDS | MESSAGES | DIRECT)
        assert {int(one["id"]) for one in ready["guilds"]} == {
            one for one in world.guilds if (one >> 22) % count == number
        }
    person = next(one for one in world.users if one != world.bot_id)
    direct = world.create_channel(None, kind=1, recipients=[person, world.bot_id]).id
    world.send_message(direct, person, content="to shard 0")
    assert (await shards[0].until("MESSAGE_CREATE"))["d"]["content"] == "to shard 0"
    for guild in world.guilds:
        world.send_message(text_channel(world, guild), world.bot_id, content=str(guild))
        event = await shards[(guild >> 22) % count].until("MESSAGE_CREATE")
        assert event["d"]["content"] == str(guild)


async def test_controls_can_mean_one_shard(line: Line, gateway: Gateway, world: World) -> None:
    """The other shard goes on."""
    shards = [await line.connect() for _ in range(2)]
    for number, shard in enumerate(shards):
        await shard.identify(world.token, shard=[number, 2])
    gateway.drop(shard=1)
    await shards[1].closed()
    gateway.request_heartbeat(shard=0)
    await shards[0].until(1)


async def test_joining_leaving_and_outages(line: Line, world: World) -> None:
    """A fresh join has no ``unavailable``; an outage and its end have; a removal has none."""
    shard = await line.connect()
    await shard.identify(world.token)
    for _ in world.guilds:
        await shard.until("GUILD_CREATE")
    own = world.new_id()
    everyone = Role(id=own, name="@everyone", permissions=EVERYONE_DEFAULT)
    world.add_guild(Guild(id=own, name="New", owner_id=world.application.owner_id, roles={own: everyone}))
    assert "unavailable" not in (await shard.until("GUILD_CREATE"))["d"]
    world.set_unavailable(own, unavailable=True)
    assert (await shard.until("GUILD_DELETE"))["d"]["unavailable"] is True
    world.set_unavailable(own, unavailable=False)
    assert (await shard.until("GUILD_CREATE"))["d"]["unavailable"] is False
    world.remove_guild(own)
    assert "unavailable" not in (await shard.until("GUILD_DELETE"))["d"]


async def test_everything_that_happens_is_told(line: Line, world: World) -> None:
    """Messages, channels, threads, roles and members, each by its own event."""
    shard = await line.connect()
    await shard.identify(world.token)
    guild = next(iter(world.guilds))
    channel = world.create_channel(guild, "fresh").id
    message = world.send_message(channel, world.bot_id, content="one")
    world.edit_message(channel, message.id, content="two")
    world.delete_message(channel, message.id)
    world.delete_messages(channel, [world.send_message(channel, world.bot_id, content="x").id])
    thread = world.create_thread(channel, owner_id=world.bot_id).id
    world.update_channel(thread, archived=True)
    world.delete_channel(thread)
    world.delete_channel(channel)
    role = world.create_role(guild, "New", int(Permission.MANAGE_GUILD))
    world.set_role_permissions(guild, role.id, 0)
    world.delete_role(guild, role.id)
    user = world.add_user("newcomer")
    world.add_member(guild, user.id)
    world.remove_member(guild, user.id)
    world.update_guild(guild, name="Renamed")
    expected = (
        "CHANNEL_CREATE MESSAGE_CREATE MESSAGE_UPDATE MESSAGE_DELETE MESSAGE_CREATE MESSAGE_DELETE_BULK THREAD_CREATE"
        " THREAD_UPDATE THREAD_DELETE CHANNEL_DELETE GUILD_ROLE_CREATE GUILD_ROLE_UPDATE GUILD_ROLE_DELETE"
        " GUILD_MEMBER_ADD GUILD_MEMBER_REMOVE GUILD_UPDATE"
    )
    for _ in world.guilds:
        await shard.until("GUILD_CREATE")
    assert [(await shard.receive())["t"] for _ in expected.split()] == expected.split()


async def test_members_on_request(line: Line, world: World) -> None:
    """By id with those not found, by the beginning of a name, and everyone with the intent."""
    shard = await line.connect()
    await shard.identify(world.token)
    guild = next(iter(world.guilds))
    person = next(one for one in world.guilds[guild].members if one != world.bot_id)
    await shard.send(8, {"guild_id": str(guild), "user_ids": [str(person), "5"], "nonce": "n"})
    chunk = (await shard.until("GUILD_MEMBERS_CHUNK"))["d"]
    assert [one["user"]["id"] for one in chunk["members"]] == [str(person)]
    assert (chunk["not_found"], chunk["nonce"], chunk["chunk_index"], chunk["chunk_count"]) == (["5"], "n", 0, 1)
    await shard.send(8, {"guild_id": str(guild), "query": world.users[person].username, "limit": 1, "presences": True})
    chunk = (await shard.until("GUILD_MEMBERS_CHUNK"))["d"]
    assert [one["user"]["id"] for one in chunk["members"]] == [str(person)]
    await shard.send(8, {"guild_id": str(guild), "query": "", "limit": 0, "nonce": "n" * 33})
    chunk = (await shard.until("GUILD_MEMBERS_CHUNK"))["d"]
    assert len(chunk["members"]) == len(world.guilds[guild].members)
    assert "nonce" not in chunk


async def test_the_whole_member_list_needs_its_intent(line: Line, world: World) -> None:
    """Without GUILD_MEMBERS such a request stays unanswered, as does one about nobody or nowhere."""
    shard = await line.connect()
    await shard.identify(world.token, intents=GUILDS)
    guild = str(next(iter(world.guilds)))
    await shard.send(8, {"guild_id": guild, "query": "", "limit": 0})
    await shard.send(8, {"guild_id": guild})
    await shard.send(8, {"guild_id": "1", "query": "", "limit": 0})
    await shard.send(8, {"guild_id": guild, "user_ids": [str(world.bot_id)]})
    assert len((await shard.until("GUILD_MEMBERS_CHUNK"))["d"]["members"]) == 1


async def test_whole_member_lists_are_limited(line: Line, world: World, clock: Clock) -> None:
    """Once in thirty seconds for each guild; too soon again the client is told how long to wait."""
    shard = await line.connect()
    await shard.identify(world.token)
    guild = str(next(iter(world.guilds)))
    asking = {"guild_id": guild, "query": "", "limit": 0, "nonce": "n"}
    await shard.send(8, asking)
    await shard.until("GUILD_MEMBERS_CHUNK")
    clock.now += 10
    await shard.send(8, asking)
    told = (await shard.until("RATE_LIMITED"))["d"]
    assert told == {"opcode": 8, "retry_after": 20.0, "meta": {"guild_id": guild, "nonce": "n"}}
    clock.now += 20
    await shard.send(8, asking)
    await shard.until("GUILD_MEMBERS_CHUNK")


async def test_starts_can_go_wrong_on_demand(line: Line, gateway: Gateway, world: World) -> None:
    """An Identify is not answered, the next one refused, and the third as usual."""
    gateway.starts.window = 0
    gateway.unanswered = gateway.refused = 1
    shard = await line.connect()
    await shard.send(2, identity(world.token))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(shard.receive(), 0.05)
    shard = await line.connect()
    await shard.send(2, identity(world.token))
    assert (await shard.receive())["d"] is False
    await (await line.connect()).identify(world.token)


async def test_resumes_can_be_refused_on_demand(line: Line, gateway: Gateway, world: World) -> None:
    """By a close, as often as is wanted, or by op 9; a new session may be had."""
    gateway.starts.window = 0
    shard = await line.connect()
    await shard.identify(world.token)
    gateway.resumes_closed_with = 4009
    for _ in range(2):
        again = await line.connect()
        await again.resume(world.token, shard)
        assert await again.closed() == 4009
    gateway.resumes_closed_with, gateway.refused = None, 1
    again = await line.connect()
    await again.resume(world.token, shard)
    assert (await again.until(9))["d"] is False
    await (await line.connect()).identify(world.token)


async def test_an_event_can_be_nonsense(line: Line, gateway: Gateway, world: World) -> None:
    """On demand, to see who minds."""
    shard = await line.connect()
    await shard.identify(world.token)
    gateway.send_nonsense()
    assert (await shard.until("READY"))["d"] is None


async def test_a_client_can_be_turned_away(line: Line, gateway: Gateway) -> None:
    """Discord: Reconnect may come in place of Hello."""
    gateway.turned_away = 1
    assert (await (await line.connect(hello=False)).receive())["op"] == 7
    assert (await (await line.connect(hello=False)).receive())["op"] == 10


async def test_other_requests_are_served(line: Line, world: World) -> None:
    """Presence and voice are taken; sounds and channel information are answered."""
    shard = await line.connect()
    await shard.identify(world.token)
    guild = str(next(iter(world.guilds)))
    await shard.send(3, {"status": "online", "since": None, "activities": [], "afk": False})
    await shard.send(4, {"guild_id": guild, "channel_id": None, "self_mute": False, "self_deaf": False})
    await shard.send(31, {"guild_ids": [guild, "1"]})
    assert (await shard.until("SOUNDBOARD_SOUNDS"))["d"] == {"guild_id": guild, "soundboard_sounds": []}
    await shard.send(43, {"guild_id": guild, "fields": ["status"]})
    assert (await shard.until("CHANNEL_INFO"))["d"]["guild_id"] == guild


async def test_a_shard_has_at_most_2500_guilds(line: Line, world: World) -> None:
    """One more is 4011: sharding required."""
    guild = next(iter(world.guilds.values()))
    world.guilds.update(dict.fromkeys(range(2500), guild))
    shard = await line.connect()
    await shard.send(2, identity(world.token, intents=EVERYTHING))
    assert await shard.closed() == 4011


async def test_sessions_are_bounded(
    line: Line, gateway: Gateway, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest goes when there are too many."""
    monkeypatch.setattr("clipsaver.simulator.gateway.gateway.MOST_SESSIONS", 1)
    shard = await line.connect()
    await shard.identify(world.token, shard=[0, 2])
    await (await line.connect()).identify(world.token, shard=[1, 2])
    await shard.closed()
    assert len(gateway.sessions) == 1


async def test_a_client_that_never_reads_is_dropped(line: Line, gateway: Gateway, world: World) -> None:
    """What waits to be sent is bounded."""
    shard = await line.connect()
    await shard.identify(world.token)
    waiting = gateway.connections[0]
    waiting.most_unsent = 1
    for _ in range(3):
        waiting.send(1)
    await shard.closed()
    assert shard.socket.closed

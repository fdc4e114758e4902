"""Users, applications, guilds and members over REST."""

import pytest

from clipsaver.simulator.entities import Guild
from clipsaver.simulator.server import Simulator
from clipsaver.simulator.world import World
from tests.fixtures.discord import StartSimulator
from tests.simulator.client import Client


async def test_the_gateway_is_told_with_its_session_starts(client: Client, simulator: Simulator) -> None:
    """Get Gateway needs no token."""
    assert {"url": simulator.gateway_url} == (await client.get("/gateway", headers={"Authorization": ""})).body
    told = await client.get("/gateway/bot")
    assert simulator.gateway_url == told.body["url"]
    assert 1000 == told.body["session_start_limit"]["remaining"]


async def test_the_bot_learns_about_itself(client: Client, world: World) -> None:
    """User and application, whose flags show the intents."""
    assert str(world.bot_id) == (await client.get("/users/@me")).body["id"]
    for path in ("/applications/@me", "/oauth2/applications/@me"):
        application = (await client.get(path)).body
        assert application["flags"] & 1 << 19
        assert str(world.bot_id) == application["bot"]["id"]
    somebody = world.add_user("other", bot=True)
    world.tokens["other"] = somebody.id
    answer = await client.get("/applications/@me", headers={"Authorization": "Bot other"})
    assert (404, 10002) == (answer.status, answer.code)


async def test_users_are_found_by_id(client: Client, world: World) -> None:
    """10013 for those who aren't there."""
    user = next(iter(world.users.values()))
    assert user.username == (await client.get(f"/users/{user.id}")).body["username"]
    assert 10013 == (await client.get("/users/5")).code


async def test_guilds_are_told(client: Client, guild: Guild) -> None:
    """With counts when asked; 10004 for unknown ones."""
    plain = (await client.get(f"/guilds/{guild.id}")).body
    counted = (await client.get(f"/guilds/{guild.id}", params={"with_counts": "true"})).body
    assert "approximate_member_count" not in plain
    assert len(guild.members) == counted["approximate_member_count"]
    assert 10004 == (await client.get("/guilds/5")).code
    channels = (await client.get(f"/guilds/{guild.id}/channels")).body
    assert "staff" in {one["name"] for one in channels}
    assert not {10, 11, 12} & {one["type"] for one in channels}


async def test_roles_are_told(client: Client, guild: Guild) -> None:
    """All, or one."""
    assert list(guild.roles) == (await client.get(f"/guilds/{guild.id}/roles")).ids()
    assert "@everyone" == (await client.get(f"/guilds/{guild.id}/roles/{guild.id}")).body["name"]
    assert 10011 == (await client.get(f"/guilds/{guild.id}/roles/5")).code


async def test_members_are_listed_by_id(client: Client, guild: Guild, world: World) -> None:
    """One by default, up to a thousand, after an id; only with the intent."""
    path = f"/guilds/{guild.id}/members"
    everyone = sorted(guild.members)
    first = (await client.get(path)).body
    assert [str(everyone[0])] == [one["user"]["id"] for one in first]
    rest = (await client.get(path, params={"limit": 1000, "after": everyone[2]})).body
    assert [str(one) for one in everyone[3:]] == [one["user"]["id"] for one in rest]
    world.application.flags &= ~(1 << 15)
    assert 50001 == (await client.get(path)).code


async def test_a_member_is_found_by_id(client: Client, guild: Guild, world: World) -> None:
    """Unknown users and users who aren't members are different answers."""
    path = f"/guilds/{guild.id}/members"
    assert str(world.bot_id) == (await client.get(f"{path}/{world.bot_id}")).body["user"]["id"]
    assert 10013 == (await client.get(f"{path}/5")).code
    assert 10007 == (await client.get(f"{path}/{world.add_user('stranger').id}")).code


async def test_active_threads_are_those_the_bot_sees(client: Client, guild: Guild, world: World) -> None:
    """Newest first; membership comes along where there is one."""
    thread = next(one for one in world.channels.values() if one.name == "thread 0")
    assert thread.thread is not None
    thread.thread.members[world.bot_id] = world.now()
    body = (await client.get(f"/guilds/{guild.id}/threads/active")).body
    assert ["thread 9", "thread 8", "thread 6", "thread 0"] == [one["name"] for one in body["threads"]]
    assert [str(thread.id)] == [one["id"] for one in body["members"]]


async def test_an_outage_is_no_missing_access(client: Client, guild: Guild, world: World) -> None:
    """503, also for what is in the guild."""
    channel = world.channels_of(guild.id)[1]
    world.set_unavailable(guild.id, True)  # noqa: FBT003 - the word is the value
    assert 503 == (await client.get(f"/guilds/{guild.id}")).status
    assert 503 == (await client.get(f"/channels/{channel.id}/messages")).status


async def test_own_guilds_come_in_pages(simulate: StartSimulator) -> None:
    """By id, before or after one, up to two hundred."""
    simulator = await simulate(plan={"guilds": 5, "messages": 1})
    ids = sorted(simulator.world.guilds)
    async with Client(simulator) as client:
        path = "/users/@me/guilds"
        assert ids == (await client.get(path)).ids()
        assert ids[:2] == (await client.get(path, params={"limit": 2})).ids()
        assert ids[2:4] == (await client.get(path, params={"limit": 2, "after": ids[1]})).ids()
        assert ids[1:3] == (await client.get(path, params={"limit": 2, "before": ids[3]})).ids()
        counted = (await client.get(path, params={"with_counts": "1"})).body
        assert all(one["approximate_member_count"] for one in counted)
        assert int(counted[0]["permissions"]) & 1 << 10


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ({"limit": "0"}, "limit", "NUMBER_TYPE_MIN"),
        ({"limit": "201"}, "limit", "NUMBER_TYPE_MAX"),
        ({"limit": "ten"}, "limit", "NUMBER_TYPE_COERCE"),
        ({"after": "x"}, "after", "NUMBER_TYPE_COERCE"),
        ({"after": str(1 << 64)}, "after", "NUMBER_TYPE_COERCE"),
    ],
)
async def test_queries_are_checked(client: Client, query: dict[str, str], field: str, code: str) -> None:
    """50035 names the field and what is wrong with it."""
    answer = await client.get("/users/@me/guilds", params=query)
    assert (400, 50035) == (answer.status, answer.code)
    assert code == answer.body["errors"][field]["_errors"][0]["code"]


async def test_a_path_is_checked_too(client: Client) -> None:
    """No snowflake, no guild."""
    answer = await client.get("/guilds/abc")
    assert (400, 50035) == (answer.status, answer.code)
    assert "guild_id" in answer.body["errors"]


async def test_a_direct_channel_is_opened_once(client: Client, guild: Guild, world: World) -> None:
    """The same one every time; not with nobody, nor with oneself."""
    first = (await client.post("/users/@me/channels", json={"recipient_id": str(guild.owner_id)})).body
    again = (await client.post("/users/@me/channels", json={"recipient_id": guild.owner_id})).body
    assert first == again
    assert [str(guild.owner_id)] == [one["id"] for one in first["recipients"]]
    sent = await client.post(f"/channels/{first['id']}/messages", json={"content": "hi"})
    assert sent.status == 200
    assert (await client.post(f"/channels/{first['id']}/typing")).status == 204
    for wrong in (5, world.bot_id):
        assert (await client.post("/users/@me/channels", json={"recipient_id": wrong})).code == 50033
    assert (await client.post("/users/@me/channels", json={})).code == 50035

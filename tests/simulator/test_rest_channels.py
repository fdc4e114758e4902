"""A channel, its threads and its pages of messages over REST."""

from datetime import timedelta

import pytest

from clipsaver.simulator.entities import Channel, Guild, created_at
from clipsaver.simulator.permissions import Permission
from clipsaver.simulator.world import World
from tests.simulator.client import Client
from tests.simulator.conftest import named


async def test_pages_follow_discords_rules(client: Client, world: World, clips: Channel) -> None:
    """Newest first in every direction, fifty unless told, the ends of the channel included."""
    path = f"/channels/{clips.id}/messages"
    ids = list(world.histories[clips.id].ids())
    assert ids[-50:][::-1] == (await client.get(path)).ids()
    assert ids[-100:][::-1] == (await client.get(path, params={"limit": 100})).ids()
    assert ids[90:100][::-1] == (await client.get(path, params={"limit": 10, "before": ids[100]})).ids()
    assert ids[101:111][::-1] == (await client.get(path, params={"limit": 10, "after": ids[100]})).ids()
    assert ids[:100][::-1] == (await client.get(path, params={"limit": 100, "after": 0})).ids()
    assert ids[98:103][::-1] == (await client.get(path, params={"limit": 5, "around": ids[100]})).ids()
    assert [] == (await client.get(path, params={"before": ids[0]})).ids()
    assert [] == (await client.get(path, params={"after": ids[-1]})).ids()


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"before": "1", "after": "2"}, {"before", "after"}),
        ({"before": "1", "around": "2", "after": "3"}, {"before", "after", "around"}),
        ({"limit": "101"}, {"limit"}),
        ({"limit": "0"}, {"limit"}),
        ({"around": "here"}, {"around"}),
    ],
)
async def test_what_excludes_one_another_is_refused(
    client: Client, clips: Channel, query: dict[str, str], fields: set[str]
) -> None:
    """And limits out of bounds."""
    answer = await client.get(f"/channels/{clips.id}/messages", params=query)
    assert (400, 50035) == (answer.status, answer.code)
    assert fields == set(answer.body["errors"])


async def test_without_read_message_history_there_is_an_empty_list(
    client: Client, guild: Guild, world: World, clips: Channel
) -> None:
    """No 403; a single message is refused."""
    last = world.histories[clips.id].last_id()
    assert 200 == (await client.get(f"/channels/{clips.id}/messages/{last}")).status
    world.set_overwrite(clips.id, world.bot_id, deny=int(Permission.READ_MESSAGE_HISTORY), member=True)
    answer = await client.get(f"/channels/{clips.id}/messages")
    assert (200, []) == (answer.status, answer.body)
    assert 50001 == (await client.get(f"/channels/{clips.id}/messages/{last}")).code
    archived = await client.get(f"/channels/{clips.id}/threads/archived/public")
    assert (403, 50001) == (archived.status, archived.code)


async def test_what_the_bot_may_not_see_is_missing_access(client: Client, guild: Guild, world: World) -> None:
    """Hidden channels, private threads of others, channels of guilds it left; unknown ones are 404."""
    for hidden in (named(world, "staff"), named(world, "thread 3")):
        for path in (f"/channels/{hidden.id}", f"/channels/{hidden.id}/messages"):
            answer = await client.get(path)
            assert (403, 50001) == (answer.status, answer.code)
    assert 10003 == (await client.get("/channels/5/messages")).code
    clips = named(world, "clips")
    world.remove_guild(guild.id)
    assert 50001 == (await client.get(f"/channels/{clips.id}")).code


async def test_voice_wants_connect_for_its_messages(client: Client, guild: Guild, world: World) -> None:
    """The channel itself can still be had."""
    lounge = named(world, "Lounge")
    assert 50 == len((await client.get(f"/channels/{lounge.id}/messages")).body)
    world.set_overwrite(lounge.id, guild.id, deny=int(Permission.CONNECT))
    world.set_overwrite(lounge.id, world.bot_id, deny=int(Permission.CONNECT), member=True)
    assert 50001 == (await client.get(f"/channels/{lounge.id}/messages")).code
    assert 200 == (await client.get(f"/channels/{lounge.id}")).status


@pytest.mark.parametrize("name", ["Talk", "questions", "gallery"])
async def test_channels_without_messages_have_none(client: Client, world: World, name: str) -> None:
    """Categories, forums and media channels."""
    channel = named(world, name)
    assert 50024 == (await client.get(f"/channels/{channel.id}/messages")).code
    assert 10008 == (await client.get(f"/channels/{channel.id}/messages/5")).code
    sent = await client.post(f"/channels/{channel.id}/messages", json={"content": "x"})
    assert (400, 50008) == (sent.status, sent.code)


async def test_content_is_blank_without_the_intent(client: Client, world: World, clips: Channel) -> None:
    """In pages and single messages; direct messages keep theirs."""
    world.application.flags &= ~(1 << 19)
    page = (await client.get(f"/channels/{clips.id}/messages", params={"limit": 100})).body
    assert not any(one["content"] or one["attachments"] or one["embeds"] or one["components"] for one in page)
    single = (await client.get(f"/channels/{clips.id}/messages/{page[0]['id']}")).body
    assert "" == single["content"]
    other = next(iter(world.users))
    direct = world.create_channel(None, kind=1, recipients=[other, world.bot_id])
    world.send_message(direct.id, other, content="for you")
    assert "for you" == (await client.get(f"/channels/{direct.id}/messages")).body[0]["content"]
    assert 1 == (await client.get(f"/channels/{direct.id}")).body["type"]


async def test_a_changed_user_shows_in_the_next_page(client: Client, world: World, clips: Channel) -> None:
    """However much of the last page was kept; a user who is gone is a deleted user."""
    path = f"/channels/{clips.id}/messages"
    author = world.guilds[clips.guild_id or 0].owner_id
    world.send_message(clips.id, author, content="x")
    assert world.users[author].username == (await client.get(path)).body[0]["author"]["username"]
    world.users[author].username = "renamed"
    assert "renamed" == (await client.get(path)).body[0]["author"]["username"]
    del world.users[author]
    assert "deleted_user" == (await client.get(path)).body[0]["author"]["username"]


async def test_archived_threads_page_by_their_moment(client: Client, world: World, clips: Channel) -> None:
    """Last archived first; equal moments are told by id."""
    path = f"/channels/{clips.id}/threads/archived/public"
    owner = world.guilds[clips.guild_id or 0].owner_id
    moment = created_at(clips.id) + timedelta(days=1)
    threads = [
        world.create_thread(
            clips.id, f"t{n}", owner_id=owner, archived=True, archive_timestamp=moment + timedelta(hours=n // 2)
        )
        for n in range(6)
    ]
    threads[0].thread.members[world.bot_id] = moment  # type: ignore[union-attr]
    seen = (await client.get(path, params={"limit": 4})).body
    assert ["thread 2", "thread 1", "t5", "t4"] == [one["name"] for one in seen["threads"]]
    assert True is seen["has_more"]
    edge = seen["threads"][-1]["thread_metadata"]["archive_timestamp"]
    rest = (await client.get(path, params={"before": edge})).body
    assert ["t3", "t2", "t1", "t0"] == [one["name"] for one in rest["threads"]]
    assert False is rest["has_more"]
    assert [str(threads[0].id)] == [one["id"] for one in rest["members"]]


@pytest.mark.parametrize("before", ["yesterday", "2025-01-01T00:00:00"])
async def test_a_moment_must_be_one(client: Client, clips: Channel, before: str) -> None:
    """ISO 8601, with its zone."""
    answer = await client.get(f"/channels/{clips.id}/threads/archived/public", params={"before": before})
    assert "before" in answer.body["errors"]


async def test_private_threads_want_manage_threads_or_membership(
    client: Client, guild: Guild, world: World, clips: Channel
) -> None:
    """All of them with the permission; those one is in without, by id."""
    path = f"/channels/{clips.id}"
    assert 50013 == (await client.get(f"{path}/threads/archived/private")).code
    joined = (await client.get(f"{path}/users/@me/threads/archived/private")).body
    assert ["thread 4"] == [one["name"] for one in joined["threads"]]
    before = joined["threads"][0]["id"]
    none = await client.get(f"{path}/users/@me/threads/archived/private", params={"before": before})
    assert [] == none.body["threads"]
    world.set_overwrite(clips.id, world.bot_id, allow=int(Permission.MANAGE_THREADS), member=True)
    every = (await client.get(f"{path}/threads/archived/private")).body
    assert ["thread 4"] == [one["name"] for one in every["threads"]]


async def test_announcement_threads_are_listed_by_their_channel(client: Client, world: World) -> None:
    """Voice channels have no threads."""
    news = named(world, "news")
    body = (await client.get(f"/channels/{news.id}/threads/archived/public")).body
    assert [10] == [one["type"] for one in body["threads"]]
    lounge = named(world, "Lounge")
    assert 50024 == (await client.get(f"/channels/{lounge.id}/threads/archived/public")).code

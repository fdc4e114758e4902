"""Sending, editing and deleting messages over REST."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from aiohttp import FormData

from clipsaver.simulator.entities import Channel, Guild
from clipsaver.simulator.permissions import Permission
from clipsaver.simulator.world import World
from tests.simulator.client import Answer, Client
from tests.simulator.conftest import named

V2 = 1 << 15


@pytest.fixture
def path(clips: Channel) -> str:
    """Where messages are sent."""
    return f"/channels/{clips.id}/messages"


def deny(world: World, channel: Channel, denied: Permission) -> None:
    """Deny the bot something in a channel."""
    world.set_overwrite(channel.id, world.bot_id, deny=int(denied), member=True)


def upload(payload: dict[str, Any], **files: bytes) -> FormData:
    """A multipart body with files named by number."""
    form = FormData()
    form.add_field("payload_json", orjson.dumps(payload).decode(), content_type="application/json")
    for number, (name, data) in enumerate(files.items()):
        form.add_field(f"files[{number}]", data, filename=f"{name}.mp4", content_type="video/mp4")
    return form


async def send(client: Client, path: str, **body: Any) -> Answer:
    """Send a message that is taken."""
    answer = await client.post(path, json=body)
    assert answer.status == 200, answer.body
    return answer


async def test_a_message_is_sent_and_read_again(client: Client, world: World, path: str) -> None:
    """With the application's id, and what Discord makes of an embed."""
    embed = {
        "title": "t",
        "provider": {"name": "nobody"},
        "image": {"url": "https://x.example/a.png"},
        "fields": [{"name": "a", "value": "b"}],
    }
    sent = (await send(client, path, content="hello", embeds=[embed])).body
    assert str(world.application.id) == sent["application_id"]
    assert "provider" not in sent["embeds"][0]
    assert "proxy_url" in sent["embeds"][0]["image"]
    assert False is sent["embeds"][0]["fields"][0]["inline"]
    assert sent == (await client.get(f"{path}/{sent['id']}")).body


async def test_an_enforced_nonce_makes_a_message_once(client: Client, world: World, path: str) -> None:
    """For some minutes, and as long as the message is there; it is told to the sender alone."""
    first = (await send(client, path, content="a", nonce="n1", enforce_nonce=True)).body
    again = (await send(client, path, content="a", nonce="n1", enforce_nonce=True)).body
    assert first == again
    assert "n1" == first["nonce"]
    assert "nonce" not in (await client.get(f"{path}/{first['id']}")).body
    assert first["id"] != (await send(client, path, content="a", nonce="n1")).body["id"]
    newer = (await send(client, path, content="a", nonce=7, enforce_nonce=True)).body
    await client.ask("DELETE", f"{path}/{newer['id']}")
    assert newer["id"] != (await send(client, path, content="a", nonce=7, enforce_nonce=True)).body["id"]
    now = world.clock()
    world.clock = lambda: now + 400
    late = (await send(client, path, content="a", nonce="n1", enforce_nonce=True)).body
    assert first["id"] != late["id"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content": "x" * 2001}, "content"),
        ({"content": "x", "nonce": "n" * 26}, "nonce"),
        ({"content": "x", "flags": V2}, "content"),
        ({"embeds": [{}]}, "embeds"),
        ({"content": "x", "message_reference": {}}, "message_reference"),
        ({"message_reference": {"type": 1, "message_id": "5"}}, "message_reference"),
        ({"message_reference": {"type": 2, "message_id": "5"}}, "message_reference"),
        ({"content": "x", "message_reference": "5"}, "message_reference"),
        ({"content": "x", "message_reference": {"message_id": "x"}}, "message_reference"),
        ({"poll": {"answers": "x", "duration": 0}}, "poll"),
        ({"poll": {"question": {"text": "?"}, "answers": []}}, "poll"),
        ({"content": "x", "message_reference": {"message_id": "5"}}, "message_reference"),
        ({"content": "x", "message_reference": {"message_id": "5", "channel_id": "6"}}, "message_reference"),
    ],
)
async def test_wrong_bodies_are_refused_with_the_field(
    client: Client, path: str, body: dict[str, Any], field: str
) -> None:
    """50035 and the tree of errors."""
    answer = await client.post(path, json=body)
    assert (400, 50035) == (answer.status, answer.code)
    assert field in answer.body["errors"]


async def test_an_empty_message_and_no_json_are_refused(client: Client, path: str) -> None:
    """50006, 50109, and 50035 for another content type."""
    assert 50006 == (await client.post(path, json={"content": ""})).code
    broken = await client.post(path, data=b"{", headers={"Content-Type": "application/json"})
    assert 50109 == broken.code
    assert 50035 == (await client.post(path, data=b"x", headers={"Content-Type": "text/plain"})).code


@pytest.mark.parametrize(
    ("denied", "body"),
    [
        (Permission.SEND_MESSAGES, {"content": "x"}),
        (Permission.EMBED_LINKS, {"embeds": [{"title": "x"}]}),
        (Permission.SEND_TTS_MESSAGES, {"content": "x", "tts": True}),
    ],
)
async def test_sending_needs_permission(
    client: Client, world: World, clips: Channel, path: str, denied: Permission, body: dict[str, Any]
) -> None:
    """50013 for what may not be done, 50001 for what may not be seen."""
    deny(world, clips, denied)
    answer = await client.post(path, json=body)
    assert (403, 50013) == (answer.status, answer.code)
    deny(world, clips, Permission.VIEW_CHANNEL)
    assert 50001 == (await client.post(path, json=body)).code


async def test_files_become_attachments_with_their_bytes(
    client: Client, world: World, clips: Channel, path: str
) -> None:
    """Described by partial attachments; without Attach Files there is nothing."""
    described = {"content": "", "attachments": [{"id": 0, "description": "first"}]}
    sent = (await client.post(path, data=upload(described, one=b"11", two=b"222"))).body
    assert [("one.mp4", 2, "first"), ("two.mp4", 3, None)] == [
        (one["filename"], one["size"], one.get("description")) for one in sent["attachments"]
    ]
    fetched = await client.get(sent["attachments"][1]["url"])
    assert b"222" == fetched.body
    described = {"attachments": [{"id": 0, "filename": "mein Vídeo? 100%.mp4"}]}
    named_oddly = (await client.post(path, data=upload(described, one=b"3"))).body["attachments"][0]
    assert (named_oddly["filename"], named_oddly["title"]) == ("mein_Vdeo_100_.mp4", "mein Vídeo? 100%")
    assert (await client.get(named_oddly["url"])).body == b"3"
    deny(world, clips, Permission.ATTACH_FILES)
    assert 50013 == (await client.post(path, data=upload({}, one=b"1"))).code


async def test_components_show_files_and_media_from_elsewhere(client: Client, path: str) -> None:
    """What a component shows is not among the attachments."""
    parts = [
        {
            "type": 12,
            "items": [{"media": {"url": "attachment://a.mp4"}}, {"media": {"url": "https://x.example/b.mp4"}}],
        },
        {"type": 17, "components": [{"type": 13, "file": {"url": "attachment://c.mp4"}}]},
    ]
    sent = (await client.post(path, data=upload({"flags": V2, "components": parts}, a=b"1", c=b"22", d=b"3"))).body
    first, second = (item["media"] for item in sent["components"][0]["items"])
    assert first["url"].endswith("&")
    assert "attachment_id" in first
    assert ("https://x.example/b.mp4", False) == (second["url"], "attachment_id" in second)
    file = sent["components"][1]["components"][0]
    assert ("c.mp4", 2) == (file["name"], file["size"])
    assert ["d.mp4"] == [one["filename"] for one in sent["attachments"]]
    path_one = f"{path}/{sent['id']}"
    kept = (await client.ask("PATCH", path_one, json={"flags": V2})).body
    assert sent["components"][1]["id"] == kept["components"][1]["id"]
    assert ["d.mp4"] == [one["filename"] for one in kept["attachments"]]
    text = [{"type": 10, "content": "only text"}]
    edited = (await client.ask("PATCH", path_one, json={"components": text})).body
    assert "only text" == edited["components"][0]["content"]


async def test_mentions_are_those_that_are_allowed(client: Client, guild: Guild, world: World, path: str) -> None:
    """By kind or one by one; everyone only with the permission."""
    user, role = guild.owner_id, next(one for one in guild.roles if one != guild.id)
    text = f"<@{user}> <@&{role}> @everyone <@123456789>"
    free = (await send(client, path, content=text)).body
    assert ([str(user)], [str(role)], False) == (
        [one["id"] for one in free["mentions"]],
        free["mention_roles"],
        free["mention_everyone"],
    )
    world.set_role_permissions(guild.id, guild.id, guild.roles[guild.id].permissions | Permission.MENTION_EVERYONE)
    assert True is (await send(client, path, content=text)).body["mention_everyone"]
    none = (await send(client, path, content=text, allowed_mentions={"parse": []})).body
    assert ([], [], False) == (none["mentions"], none["mention_roles"], none["mention_everyone"])
    one = (await send(client, path, content=text, allowed_mentions={"users": [str(user)]})).body
    assert [str(user)] == [mention["id"] for mention in one["mentions"]]


async def test_replies_and_forwards_carry_what_they_refer_to(
    client: Client, world: World, clips: Channel, path: str
) -> None:
    """Type 19 with the message, and type 1 with its snapshot, attachments included."""
    target_id = next(iter(world.truth(clips.id)))
    replyable = (await send(client, path, content="first")).body["id"]
    reply = (await send(client, path, content="r", message_reference={"message_id": replyable})).body
    assert (19, replyable) == (reply["type"], reply["referenced_message"]["id"])
    reference = {"type": 1, "channel_id": str(clips.id), "message_id": str(target_id)}
    forward = (await send(client, path, message_reference=reference)).body
    assert 1 << 14 & forward["flags"]
    content = world.message_payload(clips.id, target_id)["content"]
    assert content == forward["message_snapshots"][0]["message"]["content"]
    again = (await send(client, path, message_reference=reference | {"message_id": forward["id"]})).body
    assert forward["message_snapshots"][0]["message"]["content"] == again["message_snapshots"][0]["message"]["content"]


async def test_a_reply_can_do_without_its_target(client: Client, world: World, clips: Channel, path: str) -> None:
    """If it says so; system messages can't be replied to, nor what one may not read."""
    reference = {"message_id": "5", "fail_if_not_exists": False}
    assert 0 == (await send(client, path, content="x", message_reference=reference)).body["type"]
    system = world.send_message(clips.id, world.bot_id, type=7)
    answer = await client.post(path, json={"content": "x", "message_reference": {"message_id": str(system.id)}})
    assert "REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE" in str(answer.body)
    deny(world, clips, Permission.READ_MESSAGE_HISTORY)
    answer = await client.post(path, json={"content": "x", "message_reference": {"message_id": str(system.id)}})
    assert (403, 160002) == (answer.status, answer.code)


async def test_polls_are_kept(client: Client, path: str) -> None:
    """With their end and numbered answers."""
    poll = {"question": {"text": "?"}, "answers": [{"poll_media": {"text": "a"}}], "duration": 2}
    sent = (await send(client, path, poll=poll)).body
    assert 1 == sent["poll"]["answers"][0]["answer_id"]
    assert False is sent["poll"]["results"]["is_finalized"]


async def test_edits_change_what_they_name(client: Client, path: str) -> None:
    """Content, embeds and files, each on its own; new files join the old unless these are left out."""
    sent = (await client.post(path, data=upload({"content": "a"}, one=b"1"))).body
    own = f"{path}/{sent['id']}"
    edited = (await client.ask("PATCH", own, json={"content": "b"})).body
    assert ("b", 1) == (edited["content"], len(edited["attachments"]))
    assert edited["edited_timestamp"]
    edited = (await client.ask("PATCH", own, json={"embeds": [{"title": "t"}]})).body
    assert ("b", "t") == (edited["content"], edited["embeds"][0]["title"])
    replaced = {"attachments": [{"id": 0}]}
    edited = (await client.ask("PATCH", own, data=upload(replaced, two=b"2"))).body
    assert ["two.mp4"] == [one["filename"] for one in edited["attachments"]]
    both = {"attachments": [{"id": edited["attachments"][0]["id"]}, {"id": 0}]}
    edited = (await client.ask("PATCH", own, data=upload(both, three=b"3"))).body
    assert ["two.mp4", "three.mp4"] == [one["filename"] for one in edited["attachments"]]


async def test_others_messages_are_theirs(client: Client, world: World, clips: Channel, path: str) -> None:
    """Only flags can be changed, with Manage Messages; deleting needs that as well."""
    other = f"{path}/{world.histories[clips.id].last_id()}"
    assert (403, 50005) == (
        (answer := await client.ask("PATCH", other, json={"content": "mine"})).status,
        answer.code,
    )
    assert 50005 == (await client.ask("PATCH", other, json={"flags": 4})).code
    assert 50013 == (await client.ask("DELETE", other)).code
    world.set_overwrite(clips.id, world.bot_id, allow=int(Permission.MANAGE_MESSAGES), member=True)
    assert 200 == (await client.ask("PATCH", other, json={"flags": 4})).status
    assert 204 == (await client.ask("DELETE", other)).status
    assert 10008 == (await client.ask("DELETE", other)).code
    thread_start = world.send_message(clips.id, world.bot_id, type=21)
    assert 50021 == (await client.ask("DELETE", f"{path}/{thread_start.id}")).code


async def test_many_are_deleted_at_once(client: Client, guild: Guild, world: World, clips: Channel, path: str) -> None:
    """Two to a hundred, no doubles, none older than two weeks, with Manage Messages."""
    bulk = f"{path}/bulk-delete"
    sent = [world.send_message(clips.id, guild.owner_id, content=str(n)).id for n in range(3)]
    assert 50013 == (await client.post(bulk, json={"messages": sent})).code
    world.set_overwrite(clips.id, world.bot_id, allow=int(Permission.MANAGE_MESSAGES), member=True)
    assert 204 == (await client.post(bulk, json={"messages": [str(one) for one in sent[:2]]})).status
    assert sent[2] == world.histories[clips.id].last_id()
    old = next(iter(world.histories[clips.id].ids()))
    assert 50034 == (await client.post(bulk, json={"messages": [sent[2], old]})).code
    assert 50016 == (await client.post(bulk, json={"messages": [sent[2]]})).code
    for wrong in ({}, {"messages": [1, 1]}, {"messages": ["x", 1]}):
        assert 50035 == (await client.post(bulk, json=wrong)).code
    direct = world.create_channel(None, kind=1, recipients=[guild.owner_id, world.bot_id])
    assert 50003 == (await client.post(f"/channels/{direct.id}/messages/bulk-delete", json={})).code


async def test_sending_opens_an_archived_thread_unless_it_is_locked(client: Client, world: World) -> None:
    """Editing does not."""
    thread = named(world, "thread 1")
    path = f"/channels/{thread.id}/messages"
    sent = (await send(client, path, content="wake up")).body
    assert thread.thread is not None
    assert not thread.thread.archived
    world.update_channel(thread.id, archived=True, locked=True)
    assert 160005 == (await client.post(path, json={"content": "x"})).code
    assert 50083 == (await client.ask("PATCH", f"{path}/{sent['id']}", json={"content": "x"})).code
    deny(world, world.channels[thread.parent_id or 0], Permission.SEND_MESSAGES_IN_THREADS)
    assert 50013 == (await client.post(path, json={"content": "x"})).code


async def test_old_nonces_are_forgotten(client: Client, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered is bounded."""
    monkeypatch.setattr("clipsaver.simulator.rest_messages.MOST_NONCES", 1)
    first = (await send(client, path, content="a", nonce="1", enforce_nonce=True)).body
    await send(client, path, content="a", nonce="2", enforce_nonce=True)
    assert first["id"] != (await send(client, path, content="a", nonce="1", enforce_nonce=True)).body["id"]


def test_two_weeks_are_two_weeks() -> None:
    """The bulk limit is Discord's."""
    from clipsaver.simulator.rest_messages import OLDEST_BULK  # noqa: PLC0415 - read once, here

    assert timedelta(weeks=2) == OLDEST_BULK


async def test_typing_is_told(client: Client, world: World, clips: Channel) -> None:
    """Where one may write."""
    told: list[str] = []
    world.listeners.append(lambda name, _payload, _guild: told.append(name))
    assert (await client.post(f"/channels/{clips.id}/typing")).status == 204
    assert told == ["TYPING_START"]
    assert (await client.post(f"/channels/{named(world, 'Talk').id}/typing")).code == 50008
    deny(world, clips, Permission.SEND_MESSAGES)
    assert (await client.post(f"/channels/{clips.id}/typing")).code == 50013

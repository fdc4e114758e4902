"""Answering interactions: deadlines, doubles, what a body may hold, and what the token can do afterwards."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from clipsaver.simulator.entities import Channel, Guild
from clipsaver.simulator.interactions.interaction import Interaction
from clipsaver.simulator.world import World
from tests.simulator.application import App, Asked
from tests.simulator.client import Client
from tests.simulator.shard import Clock
from tests.simulator.test_commands import codes

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
BUTTON = {"type": 2, "style": 1, "label": "Go", "custom_id": "go"}


def row(*components: dict[str, Any]) -> dict[str, Any]:
    """An action row."""
    return {"type": 1, "components": list(components)}


def text(content: str = "words") -> dict[str, Any]:
    """A text display."""
    return {"type": 10, "content": content}


@pytest.fixture
def clock(world: World) -> Clock:
    """The world's clock, for the test to move."""
    world.clock = Clock(world.clock())
    return world.clock


@pytest.fixture
async def app(client: Client) -> AsyncIterator[App]:
    """The application of the world."""
    async with App(client) as app:
        yield app


class Desk:
    """Begins interactions of one member in one channel."""

    def __init__(self, app: App, guild: Guild, channel: Channel) -> None:
        self.app, self.guild, self.channel = app, guild, channel
        self.interactions = app.client.simulator.interactions

    def begin(self, kind: int = COMMAND, data: dict[str, Any] | None = None, **more: Any) -> Asked:
        """An interaction as the application hears it."""
        self.begun(kind, data, **more)
        return self.app.last

    def begun(self, kind: int = COMMAND, data: dict[str, Any] | None = None, **more: Any) -> Interaction:
        """An interaction as the simulator knows it."""
        body = {"id": "1", "name": "scan", "type": 1} if data is None else data
        return self.interactions.begin(kind, self.guild.owner_id, self.channel.id, body, **more)

    async def pressed(self, *, flags: int = 0) -> Asked:
        """A button of an earlier answer, pressed."""
        first = self.begin()
        answer = await first.callback(
            4, {"content": "press", "components": [row(BUTTON)], "flags": flags}, params={"with_response": "true"}
        )
        message_id = int(answer.body["resource"]["message"]["id"])
        return self.begin(COMPONENT, {"custom_id": "go", "component_type": 2, "id": 2}, source_id=message_id)


@pytest.fixture
def desk(app: App, guild: Guild, clips: Channel) -> Desk:
    """The owner of the guild, in its clips channel."""
    return Desk(app, guild, clips)


async def test_an_interaction_says_everything(desk: Desk, world: World, guild: Guild, clips: Channel) -> None:
    """Who, where, with which permissions, in which language, and what the application may do there."""
    payload = desk.begin(locale="de").payload
    assert payload["application_id"] == str(world.application.id)
    assert (payload["type"], payload["version"], payload["locale"]) == (2, 1, "de")
    assert (payload["guild_id"], payload["channel_id"]) == (str(guild.id), str(clips.id))
    assert payload["guild"]["id"] == str(guild.id)
    assert payload["guild_locale"] == "en-US"
    assert payload["channel"]["id"] == str(clips.id)
    assert payload["channel"]["permissions"] == str(world.permissions(guild.owner_id, clips.id))
    assert payload["member"]["permissions"] == str(world.permissions(guild.owner_id, clips.id))
    assert payload["member"]["user"]["id"] == str(guild.owner_id)
    assert payload["app_permissions"] == str(world.permissions(world.bot_id, clips.id))
    assert payload["authorizing_integration_owners"] == {"0": str(guild.id)}
    assert (payload["context"], payload["entitlements"]) == (0, [])
    assert payload["attachment_size_limit"] == 10 * 1024 * 1024
    assert "user" not in payload


async def test_direct_messages_have_a_user_and_no_guild(app: App, world: World, guild: Guild) -> None:
    """In a conversation with the bot there is neither guild nor member."""
    direct = world.create_channel(None, kind=1, recipients=[guild.owner_id, world.bot_id])
    payload = Desk(app, guild, direct).begin().payload
    assert payload["user"]["id"] == str(guild.owner_id)
    assert payload["authorizing_integration_owners"] == {"0": "0"}
    assert payload["context"] == 1
    assert not {"guild_id", "guild", "member", "guild_locale"} & payload.keys()
    assert payload["app_permissions"] == str(1 << 15 | 1 << 14 | 1 << 17 | 1 << 18)


async def test_a_first_answer_is_a_message_of_the_bot(desk: Desk, world: World, clips: Channel) -> None:
    """204 without ``with_response``; the message names its interaction and its user."""
    asked = desk.begin(command="scan start")
    assert (await asked.say("hello")).status == 204
    message = world.histories[clips.id].before(1 << 63, 1)[0]
    payload = world.payload_of(message)
    assert (payload["content"], payload["type"], payload["author"]["id"]) == ("hello", 20, str(world.bot_id))
    assert payload["application_id"] == str(world.application.id)
    assert payload["interaction_metadata"]["id"] == asked.payload["id"]
    assert payload["interaction_metadata"]["user"]["id"] == str(desk.guild.owner_id)


async def test_with_response_tells_what_was_made(desk: Desk) -> None:
    """The callback object, and the message for types 4 and 7."""
    answer = await desk.begin().callback(4, {"content": "x", "flags": 64}, params={"with_response": "true"})
    assert answer.status == 200
    assert answer.body["interaction"]["response_message_ephemeral"] is True
    assert answer.body["interaction"]["response_message_loading"] is False
    assert answer.body["resource"]["type"] == 4
    assert answer.body["resource"]["message"]["id"] == answer.body["interaction"]["response_message_id"]
    deferred = await desk.begin().callback(5, params={"with_response": "true"})
    assert deferred.body["interaction"]["response_message_loading"] is True
    assert "resource" not in deferred.body


async def test_the_first_answer_has_three_seconds(desk: Desk, clock: Clock) -> None:
    """After them the interaction is unknown, and its token is worth nothing."""
    asked = desk.begin()
    clock.now += 3
    assert (await asked.callback(5)).status == 204
    late = desk.begin()
    clock.now += 3.01
    answer = await late.say("late")
    assert (answer.status, answer.code) == (404, 10062)
    assert (await late.follow_up(content="x")).code == 50027


async def test_a_second_first_answer_is_refused(desk: Desk) -> None:
    """Already acknowledged: 40060."""
    asked = desk.begin()
    await asked.say("one")
    answer = await asked.say("two")
    assert (answer.status, answer.code) == (400, 40060)


async def test_a_wrong_token_is_an_unknown_interaction(desk: Desk) -> None:
    """Id and token belong together."""
    asked = desk.begin()
    asked.payload["id"] = "5"
    assert (await asked.say("x")).code == 10062
    asked.payload["token"] = "wrong"
    assert (await asked.say("x")).code == 10062
    assert (await asked.follow_up(content="x")).code == 50027


@pytest.mark.parametrize(
    ("kind", "types"), [(COMMAND, (1, 6, 7, 8, 10, "4")), (AUTOCOMPLETE, (4, 5, 6, 9)), (MODAL, (6, 7, 8, 9))]
)
async def test_answers_fit_their_interactions(desk: Desk, kind: int, types: tuple[Any, ...]) -> None:
    """Types that are for other interactions are refused."""
    asked = desk.begin(kind)
    for one in types:
        assert codes((await asked.callback(one, {"content": "x"})).body["errors"]) == {"type": ["BASE_TYPE_CHOICES"]}
    nothing = await asked.client.post(f"/interactions/{asked.payload['id']}/{asked.payload['token']}/callback", json={})
    assert codes(nothing.body["errors"]) == {"type": ["BASE_TYPE_REQUIRED"]}
    listed = await asked.client.post(f"/interactions/{asked.payload['id']}/{asked.payload['token']}/callback", json=[])
    assert codes(listed.body["errors"]) == {"": ["MODEL_TYPE_CONVERT"]}


async def test_an_answer_must_say_something(desk: Desk) -> None:
    """50006, for a message and for an edit that takes everything away."""
    asked = desk.begin()
    assert (await asked.callback(4, {"content": ""})).code == 50006
    assert (await asked.callback(4)).code == 50006
    await asked.say("x")
    assert (await asked.edit(content="")).code == 50006
    assert (await asked.edit()).status == 200
    assert (await asked.edit(content=None, embeds=[{"title": "there"}])).body["content"] == ""


async def test_a_deferred_answer_is_filled_in(desk: Desk, world: World) -> None:
    """The loading message becomes the answer; whether it is ephemeral was fixed by the defer."""
    asked = desk.begin()
    await asked.callback(5, {"flags": 64 | 32768})
    loading = await asked.client.get(f"{asked.webhook}/messages/@original")
    assert loading.body["flags"] == 64 | 128
    edited = await asked.edit(content="done", flags=0)
    assert (edited.status, edited.body["flags"], edited.body["content"]) == (200, 64, "done")
    assert loading.body["id"] == edited.body["id"]
    assert not world.histories[desk.channel.id].get(int(edited.body["id"]))


async def test_a_follow_up_right_after_a_defer_is_the_answer(desk: Desk) -> None:
    """Discord keeps this for old applications: the flag is ignored, no new message comes."""
    asked = desk.begin()
    await asked.callback(5)
    first = await asked.follow_up(content="one", flags=64)
    second = await asked.follow_up(content="two", flags=64)
    original = await asked.client.get(f"{asked.webhook}/messages/@original")
    assert (first.body["flags"], second.body["flags"]) == (0, 64)
    assert original.body["id"] == first.body["id"] != second.body["id"]
    assert second.body["interaction_metadata"]["original_response_message_id"] == first.body["id"]
    assert second.body["message_reference"]["message_id"] == first.body["id"]
    assert second.body["type"] == 19


async def test_follow_ups_are_read_changed_and_deleted(desk: Desk) -> None:
    """Each by its own id; what the interaction didn't make is unknown to it."""
    asked = desk.begin()
    assert (await asked.follow_up(content="early")).code == 10015
    await asked.say("one")
    made = (await asked.follow_up(content="two")).body["id"]
    one = f"{asked.webhook}/messages/{made}"
    assert (await asked.client.get(one)).body["content"] == "two"
    assert (await asked.edit(made, content="three")).body["edited_timestamp"]
    assert (await asked.client.ask("DELETE", one)).status == 204
    assert (await asked.client.get(one)).code == 10008
    assert (await asked.client.get(f"{asked.webhook}/messages/5")).code == 10008
    await asked.client.ask("DELETE", f"{asked.webhook}/messages/@original")
    assert (await asked.edit(content="gone")).code == 10008
    assert (await asked.client.get(f"/webhooks/5/{asked.payload['token']}/messages/@original")).code == 10015


async def test_ephemeral_messages_can_be_deleted(desk: Desk, world: World) -> None:
    """They live between bot and person; events about them are direct ones."""
    heard: list[tuple[str, dict[str, Any], int | None]] = []
    world.listeners.append(lambda *event: heard.append(event))
    asked = desk.begin()
    await asked.callback(4, {"content": "psst", "flags": 64})
    await asked.edit(content="psst!")
    await asked.client.ask("DELETE", f"{asked.webhook}/messages/@original")
    told = [(name, guild) for name, _, guild in heard if name.startswith("MESSAGE")]
    assert told == [("MESSAGE_CREATE", None), ("MESSAGE_UPDATE", None), ("MESSAGE_DELETE", None)]
    assert not {"guild_id", "member"} & heard[1][1].keys()


async def test_ephemeral_messages_are_forgotten_in_time(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many are kept, and only so many interactions."""
    monkeypatch.setattr("clipsaver.simulator.interactions.mailbox.MOST_EPHEMERAL", 1)
    monkeypatch.setattr("clipsaver.simulator.interactions.interactions.MOST", 2)
    first, second = desk.begin(), desk.begin()
    for asked in (first, second):
        await asked.callback(4, {"content": "psst", "flags": 64})
    assert (await first.edit(content="x")).code == 10008
    assert (await second.edit(content="x")).status == 200
    desk.begin()
    assert (await first.edit(content="x")).code == 50027


async def test_a_token_lives_fifteen_minutes(desk: Desk, clock: Clock) -> None:
    """Then edits and follow-ups are refused with 401, 50027."""
    asked = desk.begin()
    await asked.say("x")
    clock.now += 15 * 60
    assert (await asked.edit(content="y")).status == 200
    clock.now += 1
    answer = await asked.edit(content="z")
    assert (answer.status, answer.code, answer.body["message"]) == (401, 50027, "Invalid Webhook Token")
    assert (await asked.follow_up(content="z")).code == 50027


async def test_a_component_updates_its_message(desk: Desk) -> None:
    """Type 7 edits at once, type 6 later; ``@original`` is the message the component is on."""
    asked = await desk.pressed()
    assert asked.payload["message"]["content"] == "press"
    answer = await asked.callback(7, {"content": "pressed", "components": []}, params={"with_response": "1"})
    assert answer.body["resource"]["message"]["content"] == "pressed"
    assert answer.body["resource"]["message"]["components"] == []
    later = await desk.pressed()
    await later.callback(6)
    assert (await later.edit(content="later")).body["id"] == later.payload["message"]["id"]


async def test_a_component_can_answer_with_a_new_message(desk: Desk) -> None:
    """It refers to the message it was used on."""
    asked = await desk.pressed(flags=64)
    answer = await asked.callback(4, {"content": "new"}, params={"with_response": "true"})
    message = answer.body["resource"]["message"]
    assert message["message_reference"]["message_id"] == asked.payload["message"]["id"]
    assert message["interaction_metadata"]["interacted_message_id"] == asked.payload["message"]["id"]
    again = await desk.pressed()
    await again.callback(5)
    assert (await again.edit(content="done")).body["id"] != again.payload["message"]["id"]


async def test_a_message_that_is_gone_can_not_be_updated(desk: Desk, world: World) -> None:
    """10008, and the interaction still waits for an answer."""
    asked = await desk.pressed()
    world.delete_message(desk.channel.id, int(asked.payload["message"]["id"]))
    assert (await asked.callback(6)).code == 10008
    assert (await asked.say("instead")).status == 204


async def test_a_channel_that_is_gone_takes_no_answer(desk: Desk, world: World) -> None:
    """10003."""
    asked = desk.begin()
    world.delete_channel(desk.channel.id)
    assert (await asked.say("x")).code == 10003


async def test_menu_commands_refer_to_their_message(desk: Desk, world: World) -> None:
    """Type 23, with the target in reference and metadata."""
    target = world.send_message(desk.channel.id, desk.guild.owner_id, content="target")
    asked = desk.begin(command_type=3, target_id=target.id)
    answer = await asked.callback(4, {"content": "x"}, params={"with_response": "true"})
    message = answer.body["resource"]["message"]
    assert message["type"] == 23
    assert message["interaction_metadata"]["target_message_id"] == str(target.id)
    assert message["message_reference"]["message_id"] == str(target.id)


async def test_suggestions(desk: Desk) -> None:
    """At most 25, typed like their option, and no message to go back to."""
    asked = desk.begin(AUTOCOMPLETE, focused_type=4)
    refused = await asked.callback(8, {"choices": [{"name": str(n), "value": n} for n in range(26)]})
    assert codes(refused.body["errors"]) == {"data.choices": ["BASE_TYPE_MAX_LENGTH"]}
    refused = await asked.callback(8, {"choices": [{"name": "a", "value": "a"}, {"value": 1}]})
    assert codes(refused.body["errors"]) == {
        "data.choices.0.value": ["NUMBER_TYPE_COERCE"],
        "data.choices.1.name": ["BASE_TYPE_REQUIRED"],
    }
    assert codes((await asked.callback(8, {})).body["errors"]) == {"data.choices": ["BASE_TYPE_REQUIRED"]}
    assert (await asked.callback(8, {"choices": []})).status == 204
    assert (await asked.follow_up(content="x")).code == 10015


async def test_a_modal_and_its_answer(desk: Desk) -> None:
    """A modal sent in from a component may update that component's message."""
    asked = await desk.pressed()
    await asked.callback(9, {"custom_id": "form", "title": "Form", "components": [{"type": 10, "content": "x"}]})
    opened = desk.interactions.by_token[asked.payload["token"]]
    assert opened.modal is not None
    sent = desk.begin(MODAL, {"custom_id": "form"}, source_id=opened.source_id, opened_by=opened)
    answer = await sent.callback(7, {"content": "filled in"}, params={"with_response": "true"})
    assert answer.body["resource"]["message"]["content"] == "filled in"
    asked = desk.begin()
    await asked.callback(9, {"custom_id": "form", "title": "Form", "components": [{"type": 10, "content": "x"}]})
    assert (await asked.client.get(f"{asked.webhook}/messages/@original")).code == 10008
    opened = desk.interactions.by_token[asked.payload["token"]]
    sent = desk.begin(MODAL, {"custom_id": "form"}, opened_by=opened)
    answer = await sent.callback(4, {"content": "thanks"}, params={"with_response": "true"})
    metadata = answer.body["resource"]["message"]["interaction_metadata"]
    assert metadata["triggering_interaction_metadata"]["id"] == asked.payload["id"]


def label(component: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """A label of a modal."""
    return {"type": 18, "label": "Words", "component": component, **more}


FIELD = {"type": 4, "custom_id": "words", "style": 1}


@pytest.mark.parametrize(
    ("components", "errors"),
    [
        ([], {"components": ["BASE_TYPE_BAD_LENGTH"]}),
        ([text()] * 6, {"components": ["BASE_TYPE_BAD_LENGTH"]}),
        ([{"type": 2}], {"components.0.type": ["BASE_TYPE_CHOICES"]}),
        ([label(None)], {"components.0.component": ["BASE_TYPE_REQUIRED"]}),
        ([label({"type": 2})], {"components.0.component.type": ["BASE_TYPE_CHOICES"]}),
        ([label(FIELD | {"style": 3})], {"components.0.component.style": ["BASE_TYPE_CHOICES"]}),
        ([label(FIELD), label(FIELD)], {"components.1.component.custom_id": ["COMPONENT_CUSTOM_ID_DUPLICATED"]}),
        ([label(FIELD, label="l" * 46)], {"components.0.label": ["BASE_TYPE_BAD_LENGTH"]}),
        ([row(FIELD)], {"components.0.components.0.label": ["BASE_TYPE_REQUIRED"]}),
        ([row(FIELD | {"label": "ok"})], {}),
        (
            [label({"type": 21, "custom_id": "r", "options": [{"label": "a", "value": "a"}]})],
            {"components.0.component.options": ["BASE_TYPE_BAD_LENGTH"]},
        ),
        ([label({"type": 3, "custom_id": "s", "options": [{"label": "a", "value": "a"}]})], {}),
    ],
)
async def test_what_a_modal_may_hold(
    desk: Desk, components: list[dict[str, Any]], errors: dict[str, list[str]]
) -> None:
    """One to five labels, texts or rows with one text input."""
    answer = await desk.begin().callback(9, {"custom_id": "f", "title": "F", "components": components})
    found = codes(answer.body["errors"]) if answer.status == 400 else {}
    assert found == {f"data.{path}": one for path, one in errors.items()}


async def test_files_come_as_multipart(desk: Desk, app: App) -> None:
    """``payload_json`` and ``files[n]``; the partial attachment describes the file."""
    asked = desk.begin()
    form = aiohttp.FormData()
    data = {"content": "see", "attachments": [{"id": "0", "description": "a clip"}]}
    form.add_field("payload_json", orjson.dumps({"type": 4, "data": data}).decode(), content_type="application/json")
    form.add_field("files[0]", b"\x00\r\n\xff", filename="clip.mp4", content_type="video/mp4")
    path = f"/interactions/{asked.payload['id']}/{asked.payload['token']}/callback"
    answer = await app.client.post(path, data=form, params={"with_response": "true"})
    (attachment,) = answer.body["resource"]["message"]["attachments"]
    assert (attachment["filename"], attachment["size"], attachment["description"]) == ("clip.mp4", 4, "a clip")
    kept = await asked.edit(content="still", attachments=[{"id": attachment["id"]}])
    assert len(kept.body["attachments"]) == 1
    assert (await asked.edit(content="none", attachments=[])).body["attachments"] == []


async def test_form_fields_without_payload_json(desk: Desk) -> None:
    """Plain form fields are the body then."""
    asked = desk.begin()
    await asked.say("x")
    form = aiohttp.FormData()
    form.add_field("content", "from a form")
    form.add_field("files[0]", b"x", filename="x.txt")
    answer = await asked.client.post(asked.webhook, data=form)
    assert (answer.body["content"], len(answer.body["attachments"])) == ("from a form", 1)


async def test_too_many_and_too_large_files(desk: Desk) -> None:
    """Ten files, ten megabytes together."""
    asked = desk.begin()
    await asked.say("x")
    form = aiohttp.FormData()
    for number in range(11):
        form.add_field(f"files[{number}]", b"x", filename="x.txt")
    assert codes((await asked.client.post(asked.webhook, data=form)).body["errors"]) == {
        "files": ["BASE_TYPE_MAX_LENGTH"]
    }
    form = aiohttp.FormData()
    form.add_field("files[0]", io.BytesIO(b"x" * (10 * 1024 * 1024 + 1)), filename="x.txt")
    answer = await asked.client.post(asked.webhook, data=form)
    assert (answer.status, answer.code) == (413, 40005)


async def test_answers_need_no_authorization(desk: Desk) -> None:
    """The token in the path is enough."""
    asked = desk.begin()
    url = asked.client.simulator.rest_url + f"/interactions/{asked.payload['id']}/{asked.payload['token']}/callback"
    async with aiohttp.ClientSession() as session, session.post(url, json={"type": 5}) as response:
        assert response.status == 204


async def test_whom_an_answer_mentions(desk: Desk, guild: Guild) -> None:
    """Only those who are allowed, and exist."""
    role = list(guild.roles)[1]
    words = f"<@{guild.owner_id}> <@5> <@&{role}> @everyone"
    asked = desk.begin()
    await asked.say(words)
    loud = (await asked.client.get(f"{asked.webhook}/messages/@original")).body
    assert [one["id"] for one in loud["mentions"]] == [str(guild.owner_id)]
    assert (loud["mention_roles"], loud["mention_everyone"]) == ([str(role)], True)
    quiet = (await asked.edit(content=words, allowed_mentions={"parse": []})).body
    assert (quiet["mentions"], quiet["mention_roles"], quiet["mention_everyone"]) == ([], [], False)
    some = (await asked.edit(content=words, allowed_mentions={"users": [str(guild.owner_id)]})).body
    assert len(some["mentions"]) == 1


async def test_everyone_wakes_when_something_changes(desk: Desk) -> None:
    """The bell rings for answers; a wait that finds nothing ends in time."""
    begun = desk.begun()
    bell = desk.interactions.bell
    waiting = asyncio.create_task(bell.until(lambda: begun.answered, 5))
    await desk.app.last.callback(5)
    assert await waiting == 5
    with pytest.raises(TimeoutError):
        await bell.until(lambda: None, 0.01)

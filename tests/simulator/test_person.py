"""A person at the client: what they may do, what they send, and what they read."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from clipsaver.simulator.entities import Channel, Guild, Role
from clipsaver.simulator.permissions import EVERYONE_DEFAULT, Permission
from clipsaver.simulator.person import NoAnswer, Person, PersonRefused, Reply, Shown
from clipsaver.simulator.server import Simulator
from clipsaver.simulator.world import World
from tests.simulator.application import App, Asked
from tests.simulator.client import Client
from tests.simulator.conftest import named
from tests.simulator.test_commands import command, option
from tests.simulator.test_interactions import BUTTON, row, text

MANAGE_GUILD = int(Permission.MANAGE_GUILD)
SCAN = command(
    default_member_permissions=MANAGE_GUILD,
    contexts=[0],
    options=[
        option(
            1,
            "start",
            options=[
                option(7, "channel", channel_types=[0, 5]),
                option(
                    3,
                    "direction",
                    choices=[
                        {"name": "Backward", "value": "backward", "name_localizations": {"de": "Rückwärts"}},
                        {"name": "Forward", "value": "forward"},
                    ],
                ),
                option(4, "limit", min_value=1, max_value=100),
            ],
        ),
        option(2, "more", options=[option(1, "deep", options=[option(5, "sure", required=True)])]),
    ],
)


@pytest.fixture
async def app(client: Client) -> AsyncIterator[App]:
    """An application that says yes to everything, with one command of every kind."""

    async def yes(asked: Asked) -> None:
        await asked.say("yes")

    async with App(client, yes) as app:
        yield app


def people(guild: Guild) -> tuple[int, int]:
    """A moderator and a plain member."""
    mods = next(role.id for role in guild.roles.values() if role.name == "Moderators")
    moderator = next(one.user_id for one in guild.members.values() if mods in one.roles)
    plain = (one for one in guild.members.values() if not one.roles and one.user_id != guild.owner_id)
    return moderator, next(one.user_id for one in plain)


@pytest.fixture
def moderator(simulator: Simulator, guild: Guild) -> Person:
    """Someone with Manage Server."""
    return Person(simulator, people(guild)[0])


@pytest.fixture
def member(simulator: Simulator, guild: Guild) -> Person:
    """Someone without any role."""
    return Person(simulator, people(guild)[1])


async def test_a_slash_command_is_sent_as_documented(app: App, moderator: Person, clips: Channel) -> None:
    """Options nested in their subcommand, chosen entities resolved with the member's permissions."""
    await app.register(SCAN)
    world = app.client.simulator.world
    reply = await moderator.run("/scan start", in_channel=clips, channel=clips, direction="Forward", limit=5)
    assert (reply.text, reply.ephemeral, reply.answered, reply.failed) == ("yes", False, True, False)
    data = app.last.data
    assert (data["name"], data["type"]) == ("scan", 1)
    assert data["options"] == [
        {
            "type": 1,
            "name": "start",
            "options": [
                {"type": 7, "name": "channel", "value": str(clips.id)},
                {"type": 3, "name": "direction", "value": "forward"},
                {"type": 4, "name": "limit", "value": 5},
            ],
        }
    ]
    (channel,) = data["resolved"]["channels"].values()
    assert channel["permissions"] == str(world.permissions(moderator.user_id, clips.id))


async def test_groups_and_languages(app: App, simulator: Simulator, moderator: Person, clips: Channel) -> None:
    """A subcommand in a group; a choice by its name in the person's language."""
    await app.register(SCAN)
    await moderator.run("/scan more deep", in_channel=clips.id, sure=True)
    assert app.last.data["options"][0]["options"][0]["options"][0]["value"] is True
    german = Person(simulator, moderator.user_id, locale="de")
    await german.run("/scan start", in_channel=clips, direction="Rückwärts")
    assert app.last.payload["locale"] == "de"
    assert app.last.data["options"][0]["options"][0]["value"] == "backward"


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("/nothing", {}),
    ("/scan", {}),
    ("/scan stop", {}),
    ("/scan more", {}),
    ("/scan start", {"colour": "red"}),
    ("/scan start", {"direction": "sideways"}),
    ("/scan start", {"direction": 3}),
    ("/scan start", {"limit": 0}),
    ("/scan start", {"limit": 101}),
    ("/scan start", {"limit": 1.5}),
    ("/scan start", {"limit": True}),
    ("/scan start", {"channel": 5}),
    ("/scan more deep", {}),
    ("/scan more deep", {"sure": "yes"}),
]


@pytest.mark.parametrize(("line", "values"), REFUSED)
async def test_what_the_client_does_not_send(
    app: App, moderator: Person, clips: Channel, line: str, values: dict[str, Any]
) -> None:
    """Unknown commands and options, missing and wrong values: nothing reaches the application."""
    await app.register(SCAN)
    with pytest.raises(PersonRefused):
        await moderator.run(line, in_channel=clips, **values)
    assert app.asked == []


async def test_every_kind_of_option(app: App, moderator: Person, guild: Guild, clips: Channel) -> None:
    """Users with their membership, roles, mentionables, numbers and files."""
    kinds = {"user": 6, "role": 8, "someone": 9, "everyone": 9, "real": 10, "half": 10, "file": 11, "words": 3}
    half = {"choices": [{"name": "Half", "value": 0.5}]}
    limits: dict[str, dict[str, Any]] = {"words": {"min_length": 2, "max_length": 3}, "half": half}
    await app.register(command(options=[option(kind, name, **limits.get(name, {})) for name, kind in kinds.items()]))
    role = list(guild.roles)[1]
    values: dict[str, Any] = {"user": guild.owner_id, "role": role, "someone": guild.owner_id, "everyone": guild.id}
    values |= {"real": 1.5, "half": "Half", "file": ("a.txt", b"abc"), "words": "abc"}
    await moderator.run("/scan", in_channel=clips, **values)
    sent = {one["name"]: one["value"] for one in app.last.data["options"]}
    resolved = app.last.data["resolved"]
    assert sent["user"] == str(guild.owner_id)
    assert resolved["users"].keys() == resolved["members"].keys() == {str(guild.owner_id)}
    assert not {"user", "deaf", "mute"} & resolved["members"][str(guild.owner_id)].keys()
    assert resolved["roles"].keys() == {str(role), str(guild.id)}
    assert (sent["real"], sent["half"], sent["words"]) == (1.5, 0.5, "abc")
    assert resolved["attachments"][sent["file"]]["filename"] == "a.txt"
    bad: list[dict[str, Any]] = [{"words": "a"}, {"words": ""}, {"role": 5}, {"user": 5}]
    bad.append({"file": ("b", b"x" * (10 << 20 | 1))})
    for one in bad:
        with pytest.raises(PersonRefused):
            await moderator.run("/scan", in_channel=clips, **one)


async def test_default_permissions_decide(app: App, member: Person, moderator: Person, clips: Channel) -> None:
    """A plain member is refused, a moderator and an administrator are not; with "0" administrators alone pass."""
    await app.register(SCAN, command(name="closed", default_member_permissions=0))
    world = app.client.simulator.world
    with pytest.raises(PersonRefused, match="not for members"):
        await member.run("/scan start", in_channel=clips)
    with pytest.raises(PersonRefused):
        await moderator.run("/closed", in_channel=clips)
    admins = world.create_role(clips.guild_id or 0, "Admins", int(Permission.ADMINISTRATOR))
    world.update_member(clips.guild_id or 0, member.user_id, roles=[admins.id])
    assert (await member.run("/closed", in_channel=clips)).text == "yes"


async def test_what_administrators_set_decides_first(
    app: App, member: Person, moderator: Person, guild: Guild, clips: Channel
) -> None:
    """Users before roles before everyone; channels apart; the command's own before the application's."""
    (made,) = await app.register(SCAN)
    world, grants, command_id = app.client.simulator.world, app.client.simulator.interactions.grants, int(made["id"])
    application = world.application.id
    mods = world.guilds[guild.id].members[moderator.user_id].roles[0]
    grants.set(guild.id, command_id, [(member.user_id, 2, True), (mods, 1, False)])
    await member.run("/scan start", in_channel=clips)
    with pytest.raises(PersonRefused, match="switched off for you"):
        await moderator.run("/scan start", in_channel=clips)
    grants.set(guild.id, command_id, [(guild.id, 1, True)])
    await member.run("/scan start", in_channel=clips)
    grants.set(guild.id, command_id, [(guild.id - 1, 3, False), (clips.id, 3, True)])
    await moderator.run("/scan start", in_channel=clips)
    thread = next(one for one in world.channels_of(guild.id, threads=True) if one.parent_id == clips.id)
    await moderator.run("/scan start", in_channel=thread)
    with pytest.raises(PersonRefused, match="in this channel"):
        await moderator.run("/scan start", in_channel=named(world, "news"))
    grants.set(guild.id, command_id, [])
    grants.set(guild.id, application, [(guild.id, 1, False)])
    with pytest.raises(PersonRefused, match="application's commands"):
        await moderator.run("/scan start", in_channel=clips)


async def test_where_commands_can_be_used(app: App, member: Person, guild: Guild, clips: Channel) -> None:
    """Not unseen, not without the permission, not in a forum, not while timed out."""
    await app.register(command())
    world = app.client.simulator.world
    with pytest.raises(PersonRefused, match="can't see"):
        await member.run("/scan", in_channel=named(world, "staff"))
    with pytest.raises(PersonRefused, match="can't see"):
        await member.run("/scan", in_channel=5)
    with pytest.raises(PersonRefused, match="nowhere to type"):
        await member.run("/scan", in_channel=named(world, "questions"))
    world.set_overwrite(clips.id, guild.id, deny=int(Permission.USE_APPLICATION_COMMANDS))
    with pytest.raises(PersonRefused, match="Use Application Commands"):
        await member.run("/scan", in_channel=clips)
    world.delete_overwrite(clips.id, guild.id)
    world.update_member(guild.id, member.user_id, timed_out_until=world.now() + timedelta(hours=1))
    with pytest.raises(PersonRefused, match="Use Application Commands"):
        await member.run("/scan", in_channel=clips)


async def test_contexts_and_ages(app: App, member: Person, guild: Guild, clips: Channel) -> None:
    """Guild-only commands are not there in direct messages; age-restricted ones only on such ground."""
    await app.register(
        command(contexts=[0]), command(name="dm", contexts=[1]), command(name="adult", nsfw=True), command(name="all")
    )
    world = app.client.simulator.world
    direct = world.create_channel(None, kind=1, recipients=[member.user_id, world.bot_id])
    assert (await member.run("/all", in_channel=direct)).text == "yes"
    assert (await member.run("/dm", in_channel=direct)).text == "yes"
    with pytest.raises(PersonRefused, match="direct messages"):
        await member.run("/scan", in_channel=direct)
    with pytest.raises(PersonRefused, match="not for servers"):
        await member.run("/dm", in_channel=clips)
    with pytest.raises(PersonRefused, match="age-restricted"):
        await member.run("/adult", in_channel=clips)
    assert (await member.run("/adult", in_channel=named(world, "after-dark"))).text == "yes"
    others = world.create_channel(None, kind=1, recipients=[member.user_id, guild.owner_id])
    with pytest.raises(PersonRefused, match="not in this conversation"):
        await member.run("/all", in_channel=others)


async def test_a_guilds_own_command_comes_first(app: App, member: Person, guild: Guild, clips: Channel) -> None:
    """Its id and the guild's are in the data; commands for other installations are not there."""
    commands = app.client.simulator.interactions.commands
    commands.integration_types = (0, 1)
    await app.register(command(), command(name="mine", integration_types=[1]))
    made = await app.client.post(f"{app.base}/guilds/{guild.id}/commands", json=command())
    await member.run("/scan", in_channel=clips)
    assert app.last.data["id"] == made.body["id"]
    assert app.last.data["guild_id"] == str(guild.id)
    with pytest.raises(PersonRefused, match="not installed"):
        await member.run("/mine", in_channel=clips)


async def test_context_menus(app: App, member: Person, guild: Guild, clips: Channel) -> None:
    """The target is resolved; a user command needs Send Messages."""
    await app.register({"name": "Save Clips", "type": 3}, {"name": "Who", "type": 2})
    world = app.client.simulator.world
    shown = member.say(clips, "look", files=[("a.txt", b"a")])
    await member.run_on("Save Clips", shown, in_channel=clips)
    assert app.last.data["target_id"] == str(shown.id)
    assert app.last.data["resolved"]["messages"][str(shown.id)]["content"] == "look"
    await member.run_on("Who", guild.owner_id, in_channel=clips)
    assert app.last.data["resolved"]["users"].keys() == {str(guild.owner_id)}
    world.set_overwrite(clips.id, guild.id, deny=int(Permission.SEND_MESSAGES))
    with pytest.raises(PersonRefused, match="Permission Denied"):
        await member.run_on("Who", guild.owner_id, in_channel=clips)
    world.delete_message(clips.id, shown.id)
    with pytest.raises(PersonRefused, match="gone"):
        await member.run_on("Save Clips", shown, in_channel=clips)


async def test_autocomplete(app: App, member: Person, clips: Channel) -> None:
    """The focused option is marked, others come as far as they are filled in; suggestions in one's language."""

    async def suggest(asked: Asked) -> None:
        focused = next(one for one in asked.data["options"] if one.get("focused"))
        await asked.callback(8, {"choices": [{"name": f"{focused['value']}!", "value": focused["value"]}]})

    app.handler = suggest
    keys = [option(3, "first", required=True), option(3, "key", autocomplete=True), option(4, "number")]
    await app.register(command(options=keys))
    found = await member.autocomplete("/scan", "key", "au", in_channel=clips, number=3)
    assert [(one.name, one.value) for one in found] == [("au!", "au")]
    assert app.last.data["options"] == [
        {"type": 3, "name": "key", "value": "au", "focused": True},
        {"type": 4, "name": "number", "value": 3},
    ]
    with pytest.raises(PersonRefused):
        await member.autocomplete("/scan", "number", 1, in_channel=clips)
    app.handler = None
    member.patience = 0.02
    with pytest.raises(NoAnswer):
        await member.autocomplete("/scan", "key", in_channel=clips)


async def test_a_silent_application_fails(app: App, member: Person, clips: Channel) -> None:
    """The client stops waiting, and a late answer is refused."""
    await app.register(command())
    app.handler = None
    member.patience = 0.02
    reply = await member.run("/scan", in_channel=clips)
    assert (reply.failed, reply.text, reply.message) == (True, "The application did not respond", None)
    assert (reply.content, reply.embeds, reply.components, reply.ephemeral) == ("", (), (), False)
    assert (await app.last.say("late")).code == 10062


async def test_every_state_of_an_answer(app: App, member: Person, clips: Channel) -> None:
    """Thinking, the answer, its edits, follow-ups, and what was deleted again."""
    await app.register(command())

    async def slowly(asked: Asked) -> None:
        await asked.callback(5, {"flags": 64})

    app.handler = slowly
    reply = await member.run("/scan", in_channel=clips)
    assert (reply.thinking, reply.ephemeral, reply.text) == (True, True, "…is thinking")
    with pytest.raises(NoAnswer, match="still reads"):
        await reply.wait_final(0.02)
    await app.last.edit(content="one")
    assert (await reply.wait_final()).text == "one"
    await app.last.edit(embeds=[{"title": "two", "fields": [{"name": "n", "value": "v"}], "footer": {"text": "f"}}])
    made = await app.last.follow_up(content="three", flags=64)
    assert reply.text == "one\ntwo\nn\nv\nf\nthree"
    assert [one.text for one in reply.follow_ups] == ["three"]
    await app.client.ask("DELETE", f"{app.last.webhook}/messages/{made.body['id']}")
    assert [one.text for one in reply.messages] == ["one\ntwo\nn\nv\nf"]
    assert [one.text.split("\n")[0] for one in reply.states] == ["…is thinking", "one", "one", "three"]
    assert reply.embeds[0]["title"] == "two"
    assert reply.message is not None
    assert reply.message.edited


async def test_components_are_readable(app: App, member: Person, clips: Channel) -> None:
    """All texts of new components, labels in brackets, placeholders and descriptions."""
    parts = [
        {"type": 17, "components": [text("**Scan**"), row(BUTTON)]},
        row({"type": 3, "custom_id": "s", "placeholder": "Pick", "options": [{"label": "A", "value": "a"}]}),
        {"type": 12, "items": [{"media": {"url": "https://example.com/a.png"}, "description": "a picture"}]},
    ]

    async def show(asked: Asked) -> None:
        await asked.callback(4, {"flags": 1 << 15, "components": parts})

    app.handler = show
    await app.register(command())
    reply = await member.run("/scan", in_channel=clips)
    assert reply.text == "**Scan**\n[Go]\nPick\na picture"
    assert len(reply.components) == 3
    assert reply.message is not None
    assert [one["label"] for one in reply.message.buttons] == ["Go"]


async def answer_with(app: App, person: Person, channel: Channel, *components: dict[str, Any], **more: Any) -> Reply:
    """The application's message with these components."""

    async def show(asked: Asked) -> None:
        await asked.say("pick", components=list(components), **more)

    await app.register(command())
    before, app.handler = app.handler, show
    reply = await person.run("/scan", in_channel=channel)
    app.handler = before
    return reply


async def test_a_button_is_pressed(app: App, member: Person, moderator: Person, clips: Channel) -> None:
    """By label or custom id, by anyone who sees it; the application learns which and on what."""
    reply = await answer_with(app, member, clips, row(BUTTON))
    assert (await member.press(reply, "Go")).text == "yes"
    assert app.last.data == {"id": 2, "custom_id": "go", "component_type": 2}
    assert reply.message is not None
    assert app.last.payload["message"]["id"] == str(reply.message.id)
    seen = await moderator.wait_for_message(clips, lambda one: one.buttons)
    await moderator.press(seen, "go")
    assert app.last.payload["member"]["user"]["id"] == str(moderator.user_id)


async def test_buttons_that_can_not_be_pressed(
    app: App, member: Person, moderator: Person, guild: Guild, clips: Channel
) -> None:
    """Unknown, disabled, links, other people's ephemeral ones, and those on messages that are gone."""
    link = {"type": 2, "style": 5, "label": "Web", "url": "https://example.com"}
    off = BUTTON | {"custom_id": "off", "disabled": True}
    reply = await answer_with(app, member, clips, row(off, link), flags=64)
    for name in ("Stop", "off", "Web"):
        with pytest.raises(PersonRefused):
            await member.press(reply, name)
    assert reply.message is not None
    with pytest.raises(PersonRefused, match="can't see this message"):
        await moderator.press(reply.message, "off")
    world = app.client.simulator.world
    other = Shown.of(world, world.send_message(clips.id, guild.owner_id, components=(row(BUTTON | {"id": 1}),)))
    with pytest.raises(PersonRefused, match="not the application's"):
        await member.press(other, "Go")
    await app.client.ask("DELETE", f"{app.asked[0].webhook}/messages/@original")
    with pytest.raises(PersonRefused, match="no message"):
        await member.press(reply, "off")
    with pytest.raises(PersonRefused, match="gone"):
        await member.press(reply.message, "off")


async def test_menus(app: App, member: Person, guild: Guild, clips: Channel) -> None:
    """By label, value or id; as many as they take; entities resolved."""
    words = {"type": 3, "custom_id": "words", "max_values": 2, "options": [{"label": "A", "value": "a"}]}
    where = {"type": 8, "custom_id": "where", "channel_types": [0], "placeholder": "Where"}
    who = {"type": 7, "custom_id": "who"}
    reply = await answer_with(app, member, clips, row(words), row(where), row(who), row(BUTTON))
    await member.select(reply, "words", "A")
    assert app.last.data["values"] == ["a"]
    await member.select(reply, "Where", clips)
    assert app.last.data["resolved"]["channels"].keys() == {str(clips.id)}
    await member.select(reply, "who", guild.owner_id)
    assert app.last.data["resolved"]["users"].keys() == {str(guild.owner_id)}
    news = named(app.client.simulator.world, "news")
    bad: list[tuple[str, tuple[Any, ...]]] = [
        ("words", ("B",)), ("words", ()), ("Where", (news,)), ("go", ("x",)), ("who", (5,))
    ]  # fmt: skip
    for name, values in bad:
        with pytest.raises(PersonRefused):
            await member.select(reply, name, *values)


FORM = {
    "custom_id": "form",
    "title": "Form",
    "components": [
        text("Please"),
        {"type": 18, "label": "Words", "component": {"type": 4, "custom_id": "words", "style": 1, "max_length": 5}},
        {"type": 1, "components": [{"type": 4, "custom_id": "old", "label": "Old", "style": 2, "required": False}]},
        {"type": 18, "label": "Sure", "component": {"type": 23, "custom_id": "sure"}},
        {"type": 18, "label": "Who", "component": {"type": 5, "custom_id": "who", "required": False}},
    ],
}
AB = [{"label": "A", "value": "a"}, {"label": "B", "value": "b"}]
OTHER_FORM = {
    "custom_id": "form",
    "title": "Form",
    "components": [
        {"type": 18, "label": "File", "component": {"type": 19, "custom_id": "file", "required": False}},
        {
            "type": 18,
            "label": "One",
            "component": {"type": 21, "custom_id": "one", "required": False, "options": AB},
        },
        {
            "type": 18,
            "label": "Some",
            "component": {
                "type": 22, "custom_id": "some", "min_values": 1, "options": [{"label": "B", "value": "b"}]
            },
        },
    ],
}  # fmt: skip


async def form_of(app: App, person: Person, channel: Channel, form: dict[str, Any]) -> Reply:
    """An open form."""

    async def show(asked: Asked) -> None:
        await asked.callback(9, form)

    await app.register(command())
    before, app.handler = app.handler, show
    reply = await person.run("/scan", in_channel=channel)
    app.handler = before
    return reply


async def test_forms(app: App, member: Person, guild: Guild, clips: Channel) -> None:
    """Filled in by custom ids, checked, and answered like anything else."""
    reply = await form_of(app, member, clips, FORM)
    for bad in ({}, {"words": "too long"}, {"words": "ok", "what": "?"}):
        with pytest.raises(PersonRefused):
            await member.submit(reply, **bad)
    sent = await member.submit(reply, words="ok", who=guild.owner_id)
    assert sent.text == "yes"
    shown, words, old, sure, who = app.last.data["components"]
    assert shown == {"type": 10, "id": 1}
    assert words["component"]["value"] == "ok"
    assert old["components"][0]["value"] == ""
    assert sure["component"]["value"] is False
    assert who["component"]["values"] == [str(guild.owner_id)]
    with pytest.raises(PersonRefused, match="No form"):
        await member.submit(sent)


async def test_forms_with_files_and_groups(app: App, member: Person, clips: Channel) -> None:
    """Uploads are resolved; a radio group gives one value, a checkbox group several."""
    reply = await form_of(app, member, clips, OTHER_FORM)
    await member.submit(reply, file=[("a.txt", b"a")], one="A", some=["B"])
    file, one, some = app.last.data["components"]
    assert file["component"]["values"] == list(app.last.data["resolved"]["attachments"])
    assert (one["component"]["value"], some["component"]["values"]) == ("a", ["b"])
    await member.submit(reply, some="b")
    assert app.last.data["components"][1]["component"]["value"] is None


async def test_reading_a_channel(app: App, member: Person, moderator: Person, guild: Guild, clips: Channel) -> None:
    """The newest messages, and ephemeral ones only for whom they are meant."""
    world = app.client.simulator.world
    shown = member.say(clips, "hello")
    assert (shown.author_id, shown.channel_id, shown.attachments) == (member.user_id, clips.id, ())
    await answer_with(app, member, clips, row(BUTTON), flags=64)
    assert [one.content for one in member.sees(clips, 2)] == ["hello", "pick"]
    assert [one.content for one in moderator.sees(clips, 1)] == ["hello"]
    with pytest.raises(NoAnswer, match="hello"):
        await moderator.wait_for_message(clips, lambda one: "pick" in one.text, timeout=0.02)
    world.set_overwrite(clips.id, guild.id, deny=int(Permission.READ_MESSAGE_HISTORY | Permission.ATTACH_FILES))
    with pytest.raises(PersonRefused, match="history"):
        member.sees(clips)
    with pytest.raises(PersonRefused, match="send"):
        member.say(clips, files=[("a", b"a")])


async def test_nobody_is_anywhere_in_a_guild_that_is_down(app: App, member: Person, guild: Guild, world: World) -> None:
    """An outage hides every channel."""
    await app.register(command())
    world.set_unavailable(guild.id, unavailable=True)
    with pytest.raises(PersonRefused, match="can't see"):
        await member.run("/scan", in_channel=named(world, "clips"))


async def test_a_member_of_another_guild_is_nobody_here(app: App, simulator: Simulator, world: World) -> None:
    """Membership comes before everything."""
    own = world.new_id()
    stranger = world.add_user("stranger")
    everyone = Role(id=own, name="@everyone", permissions=EVERYONE_DEFAULT)
    world.add_guild(Guild(id=own, name="Other", owner_id=stranger.id, roles={own: everyone}))
    await app.register(command())
    with pytest.raises(PersonRefused, match="can't see"):
        await Person(simulator, stranger.id).run("/scan", in_channel=named(world, "clips"))

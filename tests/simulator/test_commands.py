"""Registering commands: what Discord takes, and how it refuses the rest."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from clipsaver.simulator.entities import Guild
from clipsaver.simulator.interactions.command_forms import size
from clipsaver.simulator.interactions.commands import Commands
from clipsaver.simulator.interactions.localization import localized
from clipsaver.simulator.world import World
from tests.simulator.application import App
from tests.simulator.client import Answer, Client
from tests.simulator.shard import Clock

Mapping = dict[str, Any]


@pytest.fixture
async def app(client: Client) -> AsyncIterator[App]:
    """The application of the world."""
    async with App(client) as app:
        yield app


def command(**more: Any) -> Mapping:
    """A slash command."""
    return {"name": "scan", "description": "Find clips", **more}


def option(kind: int = 3, name: str = "one", **more: Any) -> Mapping:
    """An option of a slash command."""
    return {"type": kind, "name": name, "description": "An option", **more}


def codes(tree: Any, path: str = "") -> dict[str, list[str]]:
    """The error codes of a refusal, by path."""
    found: dict[str, list[str]] = {}
    for key, value in tree.items():
        if key == "_errors":
            found[path] = [one["code"] for one in value]
        else:
            found |= codes(value, f"{path}.{key}" if path else key)
    return found


async def test_a_command_is_created_changed_and_deleted(app: App) -> None:
    """POST answers 201 for a new and 200 for a known name; PATCH, GET and DELETE work on its id."""
    client, base = app.client, f"{app.base}/commands"
    made = await client.post(base, json=command())
    assert made.status == 201
    assert made.body["default_member_permissions"] is None
    assert made.body["contexts"] is None
    assert made.body["integration_types"] == [0]
    again = await client.post(base, json=command(description="Other"))
    assert again.status == 200
    assert again.body["id"] == made.body["id"]
    assert again.body["version"] != made.body["version"]
    same = await client.post(base, json=command(description="Other"))
    assert same.body["version"] == again.body["version"]
    one = f"{base}/{made.body['id']}"
    edited = await client.ask("PATCH", one, json={"contexts": [0], "default_member_permissions": 32})
    assert edited.status == 200
    assert edited.body["contexts"] == [0]
    assert edited.body["dm_permission"] is False
    assert edited.body["description"] == "Other"
    assert (await client.ask("PATCH", one, json={"dm_permission": True})).body["contexts"] is None
    assert (await client.get(one)).body["default_member_permissions"] == "32"
    assert (await client.ask("DELETE", one)).status == 204
    assert (await client.get(one)).code == 10063
    assert (await client.ask("PATCH", one, json={"name": "x"})).code == 10063


def test_permissions_may_be_text(world: World) -> None:
    """Discord documents a bit set as a string; a number does as well."""
    commands = Commands(world)
    assert [
        commands.create(None, command(default_member_permissions=bits))[0]["default_member_permissions"]
        for bits in ("32", 32, None)
    ] == ["32", "32", None]


async def test_a_rename_onto_another_command_is_refused(app: App) -> None:
    """Names are unique per type and scope."""
    first, second = await app.register(command(), command(name="read"))
    refused = await app.client.ask("PATCH", f"{app.base}/commands/{second['id']}", json={"name": first["name"]})
    assert refused.code == 40041
    assert (await app.client.ask("PATCH", f"{app.base}/commands/{second['id']}", json=[])).code == 50035


async def test_a_bulk_overwrite_keeps_the_ids_of_known_names(app: App) -> None:
    """What is not in the list is gone; ``id`` lets a command keep its own under a new name."""
    first, _ = await app.register(command(), command(name="read"))
    kept, renamed = await app.register(command(), command(name="settings"))
    assert kept["id"] == first["id"]
    (moved,) = await app.register(command(name="other", id=renamed["id"]))
    assert moved["id"] == renamed["id"]
    assert [one["name"] for one in (await app.client.get(f"{app.base}/commands")).body] == ["other"]
    assert await app.register() == []


async def test_types_share_names(app: App) -> None:
    """A slash and a message command may have one name; menus take capitals and spaces."""
    made = await app.register(command(), {"name": "scan", "type": 3}, {"name": "Save Clips", "type": 2})
    assert [one["description"] for one in made] == ["Find clips", "", ""]


async def test_guild_commands_are_apart(app: App, guild: Guild) -> None:
    """A guild's commands carry its id; a guild the bot is not in is out of reach."""
    path = f"{app.base}/guilds/{guild.id}/commands"
    made = await app.client.post(path, json=command(contexts=[1]))
    assert made.body["guild_id"] == str(guild.id)
    assert made.body["contexts"] is None
    assert (await app.client.get(f"{app.base}/commands")).body == []
    assert (await app.client.get(f"{app.base}/guilds/5/commands")).code == 50001
    assert (await app.client.get("/applications/5/commands")).code == 20012


async def test_lists_leave_localisations_out(app: App) -> None:
    """Unless asked for them, a list has what the requester's locale reads."""
    names = {"de": "durchsuchen", "en-GB": "look"}
    await app.register(command(name_localizations=names, options=[option(name_localizations=names)]))
    short = (await app.client.get(f"{app.base}/commands")).body[0]
    assert short["name_localized"] == "look"
    assert "name_localizations" not in short["options"][0]
    german = await app.client.get(f"{app.base}/commands", headers={"X-Discord-Locale": "de"})
    assert german.body[0]["options"][0]["name_localized"] == "durchsuchen"
    whole = (await app.client.get(f"{app.base}/commands?with_localizations=true")).body[0]
    assert whole["name_localizations"] == names
    assert "name_localized" not in whole


def test_locales_have_fallbacks() -> None:
    """Discord: en-US falls back to en-GB, es-419 to es-ES."""
    assert localized({"es-ES": "hola"}, "es-419") == "hola"
    assert localized({"es-ES": "hola"}, "fr") is None
    assert localized(None, "fr") is None


async def test_a_whole_command_comes_back(app: App) -> None:
    """Every kind of option keeps what belongs to it, and only that."""
    options = [
        option(3, "text", required=True, min_length=1, max_length=9, choices=[{"name": "A", "value": "a"}]),
        option(4, "whole", min_value=1, max_value=5, autocomplete=True),
        option(10, "real", min_value=0.5, choices=[{"name": "Half", "value": 0.5}]),
        option(5, "yes"),
        option(7, "where", channel_types=[0, 5], min_value=3),
        option(11, "file"),
    ]
    (made,) = await app.register(command(options=options, nsfw=True, default_member_permissions=32))
    text, whole, real, _, where, _ = made["options"]
    assert made["nsfw"] is True
    assert made["default_member_permissions"] == "32"
    assert text["choices"][0]["value"] == "a"
    assert (text["min_length"], text["max_length"], text["required"]) == (1, 9, True)
    assert (whole["min_value"], whole["max_value"], whole["autocomplete"]) == (1, 5, True)
    assert real["choices"] == [{"name": "Half", "name_localizations": None, "value": 0.5}]
    assert where["channel_types"] == [0, 5]
    assert "min_value" not in where


def nested(depth: int) -> Mapping:
    """An option with subcommands within subcommands."""
    return option(2, "group", options=[option(2 if depth else 1, "inner", options=[])])


BAD: list[tuple[Mapping, dict[str, list[str]]]] = [
    ({"description": "x"}, {"name": ["BASE_TYPE_REQUIRED"]}),
    (command(name=""), {"name": ["BASE_TYPE_REQUIRED"]}),
    (command(name="a" * 33), {"name": ["BASE_TYPE_BAD_LENGTH"]}),
    (command(name="Scan"), {"name": ["APPLICATION_COMMAND_INVALID_NAME"]}),
    (command(name="scan it"), {"name": ["APPLICATION_COMMAND_INVALID_NAME"]}),
    (command(name=5), {"name": ["STRING_TYPE_CONVERT"]}),
    (command(description="a" * 101), {"description": ["BASE_TYPE_BAD_LENGTH"]}),
    (command(description=""), {"description": ["BASE_TYPE_REQUIRED"]}),
    (command(type=4), {"type": ["BASE_TYPE_CHOICES"]}),
    (command(type=2), {"description": ["APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION_SPECIFIED"]}),
    (
        {"name": "x", "type": 3, "options": [option()]},
        {"options": ["APPLICATION_COMMAND_CONTEXT_MENU_OPTIONS_SPECIFIED"]},
    ),
    (command(name_localizations={"xx": "a"}), {"name_localizations.xx": ["BASE_TYPE_CHOICES"]}),
    (command(name_localizations={"de": "Groß"}), {"name_localizations.de": ["APPLICATION_COMMAND_INVALID_NAME"]}),
    (command(name_localizations=["de"]), {"name_localizations": ["MODEL_TYPE_CONVERT"]}),
    (command(default_member_permissions="many"), {"default_member_permissions": ["NUMBER_TYPE_COERCE"]}),
    (command(default_member_permissions=-1), {"default_member_permissions": ["NUMBER_TYPE_MIN"]}),
    (command(default_member_permissions=1 << 60), {"default_member_permissions": ["NUMBER_TYPE_MAX"]}),
    (command(nsfw="no"), {"nsfw": ["BOOLEAN_TYPE_CONVERT"]}),
    (command(contexts=[3]), {"contexts.0": ["BASE_TYPE_CHOICES"]}),
    (command(contexts=[]), {"contexts": ["BASE_TYPE_BAD_LENGTH"]}),
    (command(contexts=[0, 0]), {"contexts.1": ["SET_TYPE_ALREADY_CONTAINS_VALUE"]}),
    (command(integration_types=[1]), {"integration_types.0": ["BASE_TYPE_CHOICES"]}),
    (command(options="none"), {"options": ["LIST_TYPE_CONVERT"]}),
    (command(options=["none"]), {"options.0": ["MODEL_TYPE_CONVERT"]}),
    (command(options=[option(name=f"o{n}") for n in range(26)]), {"options": ["BASE_TYPE_MAX_LENGTH"]}),
    (command(options=[option(12)]), {"options.0.type": ["BASE_TYPE_CHOICES"]}),
    (command(options=[option(), option()]), {"options.1.name": ["APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS"]}),
    (
        command(options=[option(), option(name="two", required=True)]),
        {"options.1": ["APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID"]},
    ),
    (command(options=[option(1, "sub"), option()]), {"options": ["APPLICATION_COMMAND_OPTIONS_TYPE_INVALID"]}),
    (command(options=[nested(1)]), {"options.0.options.0.type": ["BASE_TYPE_CHOICES"]}),
    (
        command(options=[option(1, "sub", options=[option(1, "subsub")])]),
        {"options.0.options.0.type": ["BASE_TYPE_CHOICES"]},
    ),
    (
        command(options=[option(choices=[{"name": "A", "value": "a"}], autocomplete=True)]),
        {"options.0.autocomplete": ["APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_WITH_CHOICES"]},
    ),
    (
        command(options=[option(choices=[{"name": str(n), "value": "a"} for n in range(26)])]),
        {"options.0.choices": ["BASE_TYPE_MAX_LENGTH"]},
    ),
    (
        command(options=[option(choices=[{"name": "", "value": "a" * 101}])]),
        {"options.0.choices.0.name": ["BASE_TYPE_REQUIRED"], "options.0.choices.0.value": ["BASE_TYPE_MAX_LENGTH"]},
    ),
    (command(options=[option(4, choices=[{"name": "A"}])]), {"options.0.choices.0.value": ["BASE_TYPE_REQUIRED"]}),
    (
        command(options=[option(4, choices=[{"name": "A", "value": "1"}, 3])]),
        {"options.0.choices.0.value": ["NUMBER_TYPE_COERCE"], "options.0.choices.1": ["MODEL_TYPE_CONVERT"]},
    ),
    (command(options=[option(10, min_value="x")]), {"options.0.min_value": ["NUMBER_TYPE_COERCE"]}),
    (
        command(options=[option(4, min_value=5, max_value=4)]),
        {"options.0.max_value": ["APPLICATION_COMMAND_OPTION_MIN_MAX_INVALID"]},
    ),
    (command(options=[option(min_length=-1, max_length=0)]), {
        "options.0.min_length": ["NUMBER_TYPE_MIN"], "options.0.max_length": ["NUMBER_TYPE_MIN"]
    }),
    (command(options=[option(max_length=6001)]), {"options.0.max_length": ["NUMBER_TYPE_MAX"]}),
    (command(options=[option(7, channel_types=[99])]), {"options.0.channel_types.0": ["BASE_TYPE_CHOICES"]}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "errors"), BAD)
async def test_a_bad_command_is_refused_with_its_errors(app: App, body: Mapping, errors: dict[str, list[str]]) -> None:
    """Code 50035, and a tree that names every fault at its path."""
    refused = await app.client.post(f"{app.base}/commands", json=body)
    assert (refused.status, refused.code, refused.body["message"]) == (400, 50035, "Invalid Form Body")
    assert codes(refused.body["errors"]) == errors


async def test_names_in_many_scripts_are_fine(app: App) -> None:
    """Letters and digits of any script, Devanagari and Thai with their marks, and - _ '."""
    names = ("clips-2", "o'clock", "größe", "日本語", "हिन्दी", "ภาษาไทย", "x_y")
    assert len(await app.register(*(command(name=name) for name in names))) == len(names)


async def test_a_bulk_overwrite_is_all_or_nothing(app: App) -> None:
    """Errors carry the command's index; a doubled name is one; what was there stays."""
    await app.register(command())
    refused = await app.client.ask("PUT", f"{app.base}/commands", json=[command(), command(), command(name="A")])
    assert codes(refused.body["errors"]) == {
        "1.name": ["APPLICATION_COMMANDS_DUPLICATE_NAME"],
        "2.name": ["APPLICATION_COMMAND_INVALID_NAME"],
    }
    assert len((await app.client.get(f"{app.base}/commands")).body) == 1


async def test_a_command_has_at_most_8000_characters(app: App) -> None:
    """Names, descriptions and values count, the longest localisation of each."""
    options = [option(name=f"{n:032}", description="d" * 100) for n in range(25)]
    subs = [option(1, f"s{n}", options=options) for n in range(2)]
    fits = command(options=[*subs, option(1, "s3", description="d" * 100, options=options[:9])])
    assert size(fits) <= 8000
    assert (await app.client.post(f"{app.base}/commands", json=fits)).status == 201
    fits["options"][2]["options"] = options[:10]
    fits["options"][0]["description_localizations"] = {"de": "d" * 100}
    refused = await app.client.post(f"{app.base}/commands", json=fits)
    assert codes(refused.body["errors"]) == {"": ["APPLICATION_COMMAND_TOO_LARGE"]}


def many(count: int, **more: Any) -> list[Mapping]:
    """So many commands."""
    return [{**command(**more), "name": f"c{number}"} for number in range(count)]


async def test_there_are_at_most_100_commands(app: App) -> None:
    """Of slash commands; of each menu's 15."""
    assert (await app.client.ask("PUT", f"{app.base}/commands", json=many(101))).code == 30032
    assert (await app.client.ask("PUT", f"{app.base}/commands", json=many(131))).code == 50035
    await app.register(*many(100))
    assert (await app.client.post(f"{app.base}/commands", json=command())).code == 30032
    menus = [{"name": f"m{number}", "type": 3} for number in range(16)]
    assert (await app.client.ask("PUT", f"{app.base}/commands", json=menus)).code == 30032


async def test_creates_are_limited_to_200_a_day(app: App, world: World) -> None:
    """Known names don't count; a day later there is room again."""
    clock = Clock(world.clock())
    world.clock = clock
    await app.register(*many(100))
    await app.register(*many(100))
    await app.register()
    await app.register(*many(100))
    assert (await app.client.ask("PUT", f"{app.base}/commands", json=[command()])).code == 30034
    clock.now += 86_401
    await app.register(command())


async def test_bodies_that_are_no_json(app: App) -> None:
    """Each kind of nonsense has its code."""
    post: Callable[..., Any] = app.client.post
    assert (await post(f"{app.base}/commands", data="{", headers={"Content-Type": "application/json"})).code == 50109
    wrong: Answer = await post(f"{app.base}/commands", data="{}", headers={"Content-Type": "text/plain"})
    assert codes(wrong.body["errors"]) == {"": ["CONTENT_TYPE_INVALID"]}
    assert codes((await post(f"{app.base}/commands", json="x")).body["errors"]) == {"": ["MODEL_TYPE_CONVERT"]}


async def test_permissions_are_read_and_never_written_by_bots(app: App, guild: Guild) -> None:
    """What people set under Integrations can be read; a bot's token can't change it."""
    made, _ = await app.register(command(), command(name="read"))
    grants = app.client.simulator.interactions.grants
    path = f"{app.base}/guilds/{guild.id}/commands/{made['id']}/permissions"
    everything = f"{app.base}/guilds/{guild.id}/commands/permissions"
    assert (await app.client.get(path)).code == 10066
    grants.set(guild.id, int(made["id"]), [(guild.owner_id, 2, True)])
    expected = {
        "id": made["id"],
        "application_id": made["application_id"],
        "guild_id": str(guild.id),
        "permissions": [{"id": str(guild.owner_id), "type": 2, "permission": True}],
    }
    assert (await app.client.get(path)).body == expected
    assert (await app.client.get(everything)).body == [expected]
    assert (await app.client.ask("PUT", path, json={"permissions": []})).code == 20001
    await app.register(command(name="read"))
    assert (await app.client.get(everything)).body == []
    (left,) = (await app.client.get(f"{app.base}/commands")).body
    grants.set(guild.id, int(left["id"]), [])
    await app.client.ask("DELETE", f"{app.base}/commands/{left['id']}")
    assert (await app.client.get(everything)).body == []

"""Answers to interactions: given once, edited later, lost when nobody waits any more."""

import asyncio
from types import SimpleNamespace
from typing import Any

import aiohttp
import hikari
import pytest
from attrs import define, field

from clipsaver.discord.components import Reply, button, row
from clipsaver.discord.interactions import InteractionLost, PlainComponent, Talk, here_of
from clipsaver.errors import NotAllowed

REPLY = Reply(content="hello", components=(row(button("Go", "a:b:c")),))


@define
class Heard:
    """An interaction that notes what it is answered, and fails as told."""

    failure: BaseException | None = None
    calls: list[tuple[str, Any, dict[str, Any]]] = field(factory=list)

    async def create_initial_response(self, kind: Any, content: Any, **options: Any) -> None:
        """Note the first answer."""
        await self._note("create", kind, {"content": content, **options})

    async def edit_initial_response(self, content: Any, **options: Any) -> None:
        """Note a later one."""
        await self._note("edit", content, options)

    async def _note(self, name: str, what: Any, options: dict[str, Any]) -> None:
        self.calls.append((name, what, options))
        if self.failure is not None:
            raise self.failure


def refusal(kind: Any, code: int) -> hikari.ClientHTTPResponseError:
    """Return one of Discord's refusals as hikari raises it."""
    failure: hikari.ClientHTTPResponseError = kind(url="", headers={}, raw_body=b"", message="no", code=code)
    return failure


def talk_with(failure: BaseException | None = None) -> tuple[Talk, Heard]:
    """Return a talk and what it is held with."""
    heard = Heard(failure)
    return Talk(heard), heard  # type: ignore[arg-type]  # the two methods are all that is used


async def test_defer_then_edit() -> None:
    """A deferred answer is private, mentions nobody and is edited in."""
    talk, heard = talk_with()
    await talk.defer()
    await talk.defer()
    await talk.answer(REPLY)
    assert [name for name, _, _ in heard.calls] == ["create", "edit"]
    assert heard.calls[0][1] == hikari.ResponseType.DEFERRED_MESSAGE_CREATE
    assert heard.calls[0][2]["flags"] == hikari.MessageFlag.EPHEMERAL
    _, content, options = heard.calls[1]
    assert content == "hello"
    assert tuple(options[f"{kind}"] for kind in ("mentions_everyone", "user_mentions", "role_mentions")) == (
        False,
        False,
        False,
    )
    built, files = options["components"][0].build()
    assert REPLY.components[0] == built
    assert files == ()


async def test_answer_at_once() -> None:
    """Without a delay the first answer is the whole one, and private."""
    talk, heard = talk_with()
    await talk.answer(REPLY)
    name, kind, options = heard.calls[0]
    assert (name, kind) == ("create", hikari.ResponseType.MESSAGE_CREATE)
    assert options["flags"] == hikari.MessageFlag.EPHEMERAL
    assert options["content"] == "hello"


async def test_update_of_a_message() -> None:
    """A button's own message is announced to change, once."""
    talk, heard = talk_with()
    await talk.defer_update()
    await talk.defer_update()
    assert [what for _, what, _ in heard.calls] == [hikari.ResponseType.DEFERRED_MESSAGE_UPDATE]


async def test_answers_are_bounded() -> None:
    """Nothing longer than Discord takes is sent."""
    talk, heard = talk_with()
    await talk.defer()
    await talk.answer(Reply(content="x" * 3000))
    assert len(heard.calls[1][1]) == 2000


@pytest.mark.parametrize(
    "failure",
    [
        refusal(hikari.NotFoundError, 10062),
        refusal(hikari.NotFoundError, 0),
        refusal(hikari.UnauthorizedError, 50027),
    ],
)
async def test_lost(failure: BaseException) -> None:
    """An interaction that is over can't be answered, first or later."""
    talk, heard = talk_with(failure)
    with pytest.raises(InteractionLost):
        await talk.defer()
    heard.failure = None
    await talk.defer()
    heard.failure = failure
    with pytest.raises(InteractionLost):
        await talk.answer(REPLY)


@pytest.mark.parametrize(
    "failure",
    [
        refusal(hikari.BadRequestError, 40060),
        hikari.HTTPError("Expected JSON"),
        AssertionError(),
        ValueError("no JSON"),
        KeyError("id"),
        aiohttp.ClientPayloadError(),
    ],
)
async def test_what_arrived_counts(failure: BaseException) -> None:
    """An answer that Discord has, but that hikari can't read back, is given."""
    talk, heard = talk_with(failure)
    await talk.defer()
    await talk.answer(REPLY)
    assert [name for name, _, _ in heard.calls] == ["create", "edit"]


async def test_other_refusals_are_errors() -> None:
    """Whatever else Discord refuses is for whoever asked to handle."""
    talk, _ = talk_with(refusal(hikari.BadRequestError, 50035))
    with pytest.raises(hikari.BadRequestError):
        await talk.answer(REPLY)


async def test_a_connection_that_failed_is_an_error() -> None:
    """An answer that may not have arrived is no answer."""
    failure = hikari.HTTPError("no connection")
    failure.__cause__ = OSError()
    talk, _ = talk_with(failure)
    with pytest.raises(hikari.HTTPError):
        await talk.answer(REPLY)


def test_plain_components() -> None:
    """Components go out in the shape they have."""
    component = PlainComponent(REPLY.components[0])
    assert component.type == 1
    assert hikari.UNDEFINED is component.id


async def test_one_event_tells_how_far_an_answer_is() -> None:
    """Two talks on one interaction know of each other through its event."""
    heard, begun = Heard(), asyncio.Event()
    await Talk(heard, begun).defer()  # type: ignore[arg-type]  # the two methods are all that is used
    await Talk(heard, begun).answer(REPLY)  # type: ignore[arg-type]
    assert [name for name, _, _ in heard.calls] == ["create", "edit"]


def test_direct_messages_are_no_server() -> None:
    """Where there is no member there is nobody to ask for."""
    with pytest.raises(NotAllowed, match="server"):
        here_of(SimpleNamespace(guild_id=None, member=None))  # type: ignore[arg-type]  # what is looked at first

"""Errors in words, with a reference that is also in the log."""

import asyncio
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import hikari
import lightbulb
import pytest
import structlog

from clipsaver.discord.interactions import InteractionLost, Talk
from clipsaver.discord.refusals import Unavailable
from clipsaver.extensions import failures
from clipsaver.scans.service import Scans
from clipsaver.words import failures as words
from tests.extensions.play import Play
from tests.extensions.test_buttons import press, shown_run

Raises = Callable[[BaseException], None]


@pytest.fixture
def raises(monkeypatch: pytest.MonkeyPatch) -> Raises:
    """Let the scans' service fail as told."""

    def let(error: BaseException) -> None:
        async def fail(*_: Any, **__: Any) -> None:
            raise error

        for name in ("status", "run"):
            monkeypatch.setattr(Scans, name, fail)

    return let


def logged(logs: list[Any], event: str) -> dict[str, Any]:
    """Return the only log line of an event."""
    (line,) = [line for line in logs if line["event"] == event]
    return dict(line)


async def test_the_unforeseen_has_a_reference(play: Play, raises: Raises) -> None:
    """What nobody expected is told without details, and found in the log by its reference."""
    raises(RuntimeError("a secret detail"))
    with structlog.testing.capture_logs() as logs:
        reply = await play.ask("/scan status")
    assert reply.ephemeral
    assert "Something went wrong." in reply.text
    assert "secret" not in reply.text
    found = re.search(r"`([0-9a-f]{8})`", reply.text)
    assert found is not None
    line = logged(logs, "command.failed")
    assert (found[1], "scan status", "error") == (line["reference"], line["command"], line["log_level"])


async def test_errors_with_a_sentence(play: Play, raises: Raises) -> None:
    """Our own errors are told as they are."""
    raises(Unavailable("Discord gave no useful answer."))
    with structlog.testing.capture_logs() as logs:
        reply = await play.ask("/scan status")
    assert "Discord gave no useful answer." == reply.text
    assert "Unavailable" == logged(logs, "command.refused")["reason"]


async def test_buttons_have_references_too(play: Play, raises: Raises) -> None:
    """A button that fails is answered and logged like a command."""
    await shown_run(play.stage, play.stage.clips)
    raises(RuntimeError("a secret detail"))
    with structlog.testing.capture_logs() as logs:
        reply = await press(play, play.stage.moderator, "Cancel")
    assert logged(logs, "button.failed")["reference"] in reply.text
    assert "secret" not in reply.text


async def test_nobody_waits_any_more(play: Play) -> None:
    """A first answer that comes too late is noted, is no error, and nothing is done."""
    simulator = play.stage.simulator
    fault = simulator.faults.add("status", "POST /interactions/*", status=404)
    person = play.moderator
    person.patience = 0.3
    with structlog.testing.capture_logs() as logs:
        reply = await person.run("/scan start", in_channel=play.stage.lobby)
        async with asyncio.timeout(60):
            while "interaction.lost" not in [line["event"] for line in logs]:
                await play.stage.pool.fetchval("select 1")
    assert reply.failed
    assert fault.happened
    assert "scan start" == logged(logs, "interaction.lost")["command"]
    assert [] == list(await play.stage.scans.list(play.stage.guild_id))


async def test_an_odd_failure_has_a_cause() -> None:
    """A failure without a cause is told like any other."""
    told: list[Any] = []

    class Context:
        """What the handler looks at."""

        interaction, initial_response_sent = None, None
        command_data = SimpleNamespace(qualified_name="scan start")

    async def answer(_: Any, reply: Any) -> None:
        told.append(reply.content)

    with patch.object(Talk, "answer", answer):
        failure: Any = SimpleNamespace(causes=(), context=Context())
        assert await failures.failed(failure)
    assert "Something went wrong" in told[0]


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (
            lightbulb.prefab.MissingRequiredPermission(hikari.Permissions.MANAGE_GUILD, hikari.Permissions.NONE),
            "You need Manage Server to do that.",
        ),
        (
            lightbulb.prefab.BotMissingRequiredPermissions(hikari.Permissions.VIEW_CHANNEL, hikari.Permissions.NONE),
            "I need View Channel to do that.",
        ),
        (lightbulb.prefab.NotOwner(), "You may not use that."),
        (lightbulb.prefab.MissingRequiredRoles([5]), "You may not use that."),
        (lightbulb.di.DependencyNotSatisfiableException(), None),
    ],
)
def test_lightbulbs_own_errors(cause: Exception, expected: str | None) -> None:
    """What the library refuses has a sentence; what it can't do has a reference."""
    reply = failures._explain(cause, "scan start")
    if expected is None:
        assert "Something went wrong" in reply.content
    else:
        assert expected == reply.content


def test_options_that_cannot_be_converted() -> None:
    """An option is named when its value can't be used."""
    option: Any = lightbulb.commands.options.OptionData(type=hikari.OptionType.STRING, name="since", description="x")
    failure = lightbulb.exceptions.ConversionFailedException(option, "?")
    assert "`since`" in failures._explain(failure, "scan start").content


@pytest.mark.parametrize("failure", [InteractionLost(), hikari.HTTPError("down"), OSError()])
async def test_answers_that_do_not_arrive(failure: Exception) -> None:
    """A failure that can't be told ends there."""

    class Silent:
        async def answer(self, _: Any) -> None:
            raise failure

    await failures._tell(Silent(), words.went_wrong("x"), "scan start")  # type: ignore[arg-type]  # a stub

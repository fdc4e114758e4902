"""The log pipeline: JSON whatever happens, and never a secret."""

import asyncio
import io
import logging
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from clipsaver import logs
from clipsaver.logs import crashes
from clipsaver.logs.clean import LONGEST_TEXT, MOST_VALUES, REDACTED, SHORTEST_TOKEN, Cleaner
from clipsaver.logs.pipeline import Lines

TOKEN = "MTA0MjQyNDI0MjQyNDI0MjQyNA.GaBcDe.abcdefghijklmnopqrstuvwxyz0123456789AB"
PASSWORD = "correct horse"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the lines go; logging is as before afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    for name in ("tests.quiet", "tests.loud"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """Every line that was written."""
    return [orjson.loads(line) for line in stream.getvalue().splitlines()]


def test_every_line_is_one_object(stream: io.StringIO) -> None:
    """Ours and the libraries' have the same four keys."""
    logs.configure(stream=stream)

    structlog.get_logger("clipsaver.scans").info("scan.page_kept", clips=3)
    logging.getLogger("hikari.gateway").warning("shard %s is %s", 0, "slow")

    ours, theirs = lines(stream)
    assert (ours["event"], ours["logger"], ours["level"], ours["clips"]) == (
        "scan.page_kept",
        "clipsaver.scans",
        "info",
        3,
    )
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("shard 0 is slow", "hikari.gateway", "warning")
    for line in (ours, theirs):
        assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta(0)


def test_levels_are_set_by_logger(stream: io.StringIO) -> None:
    """One logger may be quieter or louder than the rest."""
    logs.configure(stream=stream, level="WARNING", levels={"tests.quiet": "ERROR", "tests.loud": "DEBUG"})

    for name in ("tests.quiet", "tests.loud", "tests.other"):
        structlog.get_logger(name).debug("x.debug")
        structlog.get_logger(name).warning("x.warning")

    assert [(line["logger"], line["event"]) for line in lines(stream)] == [
        ("tests.loud", "x.debug"),
        ("tests.loud", "x.warning"),
        ("tests.other", "x.warning"),
    ]


def test_context_is_merged(stream: io.StringIO) -> None:
    """What is bound once is in every line, the libraries' included."""
    logs.configure(stream=stream)

    with structlog.contextvars.bound_contextvars(run_id="r1"):
        structlog.get_logger("tests").info("x.one")
        logging.getLogger("aiohttp").warning("two")

    assert [line["run_id"] for line in lines(stream)] == ["r1", "r1"]


def fail() -> None:
    """Raise with a cause and a secret in the sentence."""
    try:
        int(PASSWORD)
    except ValueError as error:
        raise RuntimeError(f"bad {TOKEN}") from error


@pytest.mark.parametrize("name", ["ours", "theirs"])
def test_an_exception_is_a_field(stream: io.StringIO, name: str) -> None:
    """Its causes and frames are data, without local variables."""
    logs.configure(stream=stream, secrets=[PASSWORD])
    log: Any = structlog.get_logger("tests") if name == "ours" else logging.getLogger("tests")

    try:
        fail()
    except RuntimeError:
        log.exception("x.failed")

    (line,) = lines(stream)
    raised, cause = line["exception"]
    assert (raised["exc_type"], raised["exc_value"]) == ("RuntimeError", f"bad {REDACTED}")
    assert (cause["exc_type"], cause["exc_value"]) == (
        "ValueError",
        f"invalid literal for int() with base 10: '{REDACTED}'",
    )
    assert [frame["name"] for frame in raised["frames"]][-1] == "fail"
    assert not any("locals" in frame for frame in raised["frames"])


def test_a_terminal_gets_colours(stream: io.StringIO) -> None:
    """What a person reads is made for reading, and has no secret either."""
    terminal = Terminal()
    logs.configure(stream=terminal, secrets=[PASSWORD])

    try:
        fail()
    except RuntimeError:
        structlog.get_logger("tests").exception("x.failed", word=PASSWORD)

    assert "\x1b[" in terminal.getvalue()
    assert "RuntimeError" in terminal.getvalue()
    assert PASSWORD not in terminal.getvalue()


@pytest.mark.parametrize(("form", "target", "is_json"), [("json", Terminal, True), ("console", io.StringIO, False)])
def test_the_form_can_be_chosen(
    stream: io.StringIO, form: str, target: Callable[[], io.StringIO], *, is_json: bool
) -> None:
    """JSON on a terminal, or plain lines in a file."""
    chosen = target()
    logs.configure(stream=chosen, form=form)

    structlog.get_logger("tests").info("x.said")

    assert chosen.getvalue().startswith("{") is is_json
    assert "\x1b[" not in chosen.getvalue()


def test_standard_output_is_the_default(stream: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing else is said where to write."""
    logs.configure()

    structlog.get_logger("tests").info("x.said")

    assert orjson.loads(capsys.readouterr().out)["event"] == "x.said"


def test_a_second_time_starts_over(stream: io.StringIO) -> None:
    """No line is written twice; handlers of others stay."""
    other = logging.NullHandler()
    logging.getLogger().addHandler(other)
    logs.configure(stream=io.StringIO())
    logs.configure(stream=stream)

    structlog.get_logger("tests").info("x.once")

    assert len(lines(stream)) == 1
    assert other in logging.getLogger().handlers


def test_warnings_are_lines(stream: io.StringIO) -> None:
    """Python's warnings go the same way."""
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.configure(stream=stream)
        warnings.warn("old ways", stacklevel=1)

    assert "old ways" in lines(stream)[0]["event"]
    assert lines(stream)[0]["logger"] == "py.warnings"


def test_a_line_that_cannot_be_made_is_said(stream: io.StringIO) -> None:
    """A library's broken call costs its line, and says so in JSON."""
    logs.configure(stream=stream)
    root = logging.getLogger()
    root.handlers[:] = [handler for handler in root.handlers if isinstance(handler, Lines)]
    broken = "%s and %s"

    logging.getLogger("hikari").warning(broken, "one")

    (line,) = lines(stream)
    assert (line["event"], line["about"], line["error_type"]) == ("log.failed", "hikari", "TypeError")


class Broken(io.StringIO):
    """A pipe whose reader has gone."""

    def write(self, _text: str) -> int:
        """Fail."""
        raise BrokenPipeError


def test_a_stream_that_is_gone_is_no_error(stream: io.StringIO) -> None:
    """There is nobody to tell."""
    logs.configure(stream=Broken())

    structlog.get_logger("tests").info("x.unheard")


def test_a_closed_stream_is_no_error(stream: io.StringIO) -> None:
    """Neither while the program ends."""
    logs.configure(stream=stream)
    stream.close()

    structlog.get_logger("tests").info("x.unheard")


SECRETIVE = [
    f"Authorization: Bot {TOKEN}",
    f"{{'Authorization': 'Bot {TOKEN}'}}",
    "{'authorization': 'Basic c2VjcmV0'}",
    "('Authorization', b'c2VjcmV0')",
    f"token is {TOKEN}!",
    "Bearer c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0",
    "postgresql://me:c2VjcmV0@db/clips",
    "redis://:c2VjcmV0@db:6379",
    "dsn: host=db password=c2VjcmV0 user=me",
    "/webhooks/1234/c2VjcmV0c2VjcmV0c2VjcmV0/messages",
    "/interactions/1234/c2VjcmV0c2VjcmV0c2VjcmV0/callback",
]


@pytest.mark.parametrize("text", SECRETIVE)
def test_what_looks_like_a_secret_is_not_written(text: str) -> None:
    """Nobody has to know the secret beforehand."""
    cleaned = Cleaner.of(()).text(text)

    assert REDACTED in cleaned
    assert "c2VjcmV0" not in cleaned
    assert TOKEN not in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "scan.page_kept",
        "https://cdn.discordapp.com/attachments/1/2/clip.mp4?ex=1&is=2",
        "postgresql://localhost:5432/clips",
        "clipsaver.discord.rest.buckets",
        "The bot synchronised its commands.",
        "0b3a1b52-3f0c-4b9a-9f0e-0123456789ab",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """What looks like no secret is written as it is."""
    assert Cleaner.of(()).text(text) == text


def test_a_signature_is_cut_from_a_link() -> None:
    """The rest of the link stays."""
    assert Cleaner.of(()).text("https://x/a.mp4?ex=1&hm=0123456789abcdef0123") == f"https://x/a.mp4?ex=1&hm={REDACTED}"


def test_known_secrets_are_not_written_anywhere() -> None:
    """Values, keys, nested ones, objects; a secret too short to be one is left alone."""
    cleaner = Cleaner.of([PASSWORD, "a"])
    shown = SimpleNamespace(word=PASSWORD)

    line = cleaner(
        None,
        "info",
        {
            "event": f"x {PASSWORD}",
            "list": [{"deep": (PASSWORD, {PASSWORD})}],
            PASSWORD: 1,
            "object": shown,
            "bytes": PASSWORD.encode(),
            "cause": ValueError(PASSWORD),
        },
    )

    assert PASSWORD not in orjson.dumps(line).decode()
    assert line["event"] == f"x {REDACTED}"


def test_fields_named_like_secrets_are_not_written() -> None:
    """Whatever is in them; that nothing is in them may be seen."""
    line = Cleaner.of(())(None, "info", {"token": 5, "headers": {"Authorization": "x"}, "password": None})

    assert line == {"token": REDACTED, "headers": {"Authorization": REDACTED}, "password": None}


class Shy:
    """An object that fails to describe itself."""

    def __str__(self) -> str:
        raise ValueError


class Colour(Enum):
    """An enumeration."""

    RED = "red"


class Id(int):
    """A number of a kind of its own, as libraries have them for snowflakes."""


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Shy(), "<Shy that can't be shown>"),
        (Colour.RED, "red"),
        (Id(2**63), 2**63),
        (2**64, "0x10000000000000000"),
        (float("nan"), None),
        ("\ud800", "?"),
        (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31T00:00:00+00:00"),
        (date(2026, 1, 31), "2026-01-31"),
        (timedelta(seconds=1), "0:00:01"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (bytearray(b"\xff"), "b'\\xff'"),
        ({1: Shy}, {"1": "<class 'tests.test_logs.Shy'>"}),
    ],
)
def test_any_value_can_be_written(stream: io.StringIO, value: object, written: object) -> None:
    """What JSON does not know is described."""
    logs.configure(stream=stream)

    structlog.get_logger("tests").info("x.said", value=value)

    assert lines(stream)[0]["value"] == written


def test_lines_are_bounded() -> None:
    """Endless texts, lists and nests are cut."""
    endless: list[Any] = []
    endless.append(endless)
    cleaner = Cleaner.of(())

    line = cleaner(
        None,
        "info",
        {"text": "x" * 10**6, "nest": endless, "list": list(range(10**5)), "map": dict.fromkeys(range(10**5))},
    )

    assert len(line["text"]) == LONGEST_TEXT + 1
    assert len(line["list"]) <= MOST_VALUES
    assert line["map"] == "…"
    assert len(cleaner(None, "info", {"map": dict.fromkeys(range(10**5))})["map"]) < MOST_VALUES


@pytest.mark.parametrize("character", ["a", "=", "/", ".", " ", "://", "password", "bot "])
def test_looking_for_secrets_takes_no_time(character: str) -> None:
    """No text makes a pattern go back and forth for long."""
    began = time.process_time()

    Cleaner.of([PASSWORD]).text(character * 64_000)

    assert time.process_time() - began < 2


@given(st.recursive(st.none() | st.text() | st.integers() | st.floats() | st.binary(), st.lists))
def test_whatever_is_cleaned_can_be_written(value: object) -> None:
    """Orjson takes every cleaned value."""
    orjson.dumps(Cleaner.of([PASSWORD])(None, "info", {"value": value}))


def test_a_crash_is_a_line(stream: io.StringIO) -> None:
    """What ends the program is logged; an interrupt is none."""
    logs.configure(stream=stream)

    crashes.on_crash(ValueError, ValueError("gone"), None)
    crashes.on_crash(KeyboardInterrupt, KeyboardInterrupt(), None)

    (line,) = lines(stream)
    assert (line["event"], line["level"]) == ("process.crashed", "critical")
    assert line["exception"][0]["exc_value"] == "gone"


def test_a_thread_that_crashes_is_a_line(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is in it."""
    logs.configure(stream=stream)
    monkeypatch.setattr(threading, "excepthook", crashes.on_thread_crash)

    thread = threading.Thread(target=fail, name="probe")
    thread.start()
    thread.join()
    crashes.on_thread_crash(threading.ExceptHookArgs((SystemExit, None, None, None)))

    (line,) = lines(stream)
    assert (line["event"], line["thread"]) == ("thread.crashed", "probe")


def test_what_cannot_be_raised_is_a_line(stream: io.StringIO) -> None:
    """With and without an error to show."""
    logs.configure(stream=stream)

    for error in (ValueError("late"), None):
        args: Any = SimpleNamespace(err_msg="Exception ignored", object=[], exc_value=error)
        crashes.on_unraisable(args)

    first, second = lines(stream)
    assert (first["event"], first["about"], first["message"]) == ("process.unraisable", "list", "Exception ignored")
    assert ("exception" in first, "exception" in second) == (True, False)


async def test_what_asyncio_cannot_hand_on_is_a_line(stream: io.StringIO) -> None:
    """A task that nobody awaits says which it was."""
    logs.configure(stream=stream)
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(asyncio.Event().wait(), name="watcher")

    crashes.on_loop_error(loop, {"message": "Task exception was never retrieved", "exception": OSError(), "task": task})
    crashes.on_loop_error(loop, {"message": "slow", "future": loop.create_future()})
    task.cancel()

    first, second = lines(stream)
    assert (first["event"], first["task"], first["message"]) == (
        "asyncio.unhandled",
        "watcher",
        "Task exception was never retrieved",
    )
    assert (second["task"], "exception" in second) == (None, False)


def test_the_hooks_are_put_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs, threads and finalisers."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)

    logs.catch_crashes()

    assert (sys.excepthook, sys.unraisablehook, threading.excepthook) == (
        crashes.on_crash,
        crashes.on_unraisable,
        crashes.on_thread_crash,
    )


def test_references_are_short_and_differ() -> None:
    """A person can read one out."""
    references = {logs.reference() for _ in range(100)}

    assert len(references) == 100
    assert {len(reference) for reference in references} == {8}


def test_the_shortest_token_is_found() -> None:
    """Texts that are passed over as too short really are."""
    shortest = f"{'a' * 17}.{'b' * 5}.{'c' * 25}"

    assert (len(shortest), Cleaner.of(()).text(shortest)) == (SHORTEST_TOKEN, REDACTED)

"""Faults: which request they hit, and what they leave of a body."""

from typing import Any, get_args

import pytest

from clipsaver.simulator.faults import Faults, Variant, throttled


def test_a_fault_hits_its_route_as_often_as_told() -> None:
    """By method and path pattern; then all is well."""
    faults = Faults()
    fault = faults.add("status", "GET /channels/*/messages", count=2)
    drawn = [faults.draw("GET", "/channels/5/messages") for _ in range(3)]
    assert drawn == [fault, fault, None]
    assert faults.draw("POST", "/channels/5/messages") is None
    assert fault.happened == 2


def test_a_pattern_without_a_method_hits_all_methods() -> None:
    """And none at all hits everything."""
    faults = Faults()
    fault = faults.add("reset", "/users/*")
    assert faults.draw("PATCH", "/users/@me") is fault
    assert faults.draw("GET", "/guilds/5") is None
    everything = faults.add("reset")
    assert faults.draw("GET", "/guilds/5") is everything
    faults.clear()
    assert faults.draw("GET", "/guilds/5") is None


def test_chance_comes_from_the_seed() -> None:
    """The same faults in the same order every time."""

    def hits(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add("status", probability=0.4)
        return [faults.draw("GET", "/x") is not None for _ in range(200)]

    assert hits(1) == hits(1) != hits(2)
    assert 50 < sum(hits(1)) < 110


def body() -> list[dict[str, Any]]:
    """A page and a channel."""
    return [
        {"id": "1", "type": 0, "flags": 4, "pinned": False, "attachments": [{"id": "2", "flags": 1, "width": 5}]},
        {"id": "3", "type": 0, "guild_id": "4", "topic": None, "flags": 0},
        {"type": 0, "id": "5"},
    ]


def test_optional_fields_are_left_out() -> None:
    """Those of a list or those that are named, wherever they are."""
    faults = Faults()
    spoiled = faults.spoil(faults.add("omit", share=1), body())
    assert spoiled[0] == {"id": "1", "type": 0, "attachments": [{"id": "2"}]}
    named = faults.spoil(faults.add("omit", share=1, fields=frozenset({"id"})), body())
    assert "id" not in named[0]["attachments"][0]


def test_fields_are_nulled_by_chance() -> None:
    """Nobody is hit where the share is nothing."""
    faults = Faults()
    assert faults.spoil(faults.add("null", share=1), body())[0]["flags"] is None
    assert faults.spoil(faults.add("null", share=0), body()) == body()


def test_unknown_kinds_appear() -> None:
    """Of messages, components, channels and flags."""
    faults = Faults()
    message, channel, other = faults.spoil(faults.add("unknown", share=1), body())
    assert message["type"] == channel["type"] == message["components"][0]["type"] == 9999
    assert message["flags"] > 1 << 40
    assert other == {"type": 0, "id": "5"}


@pytest.mark.parametrize("variant", get_args(Variant))
def test_429s_come_with_every_mix_of_headers(variant: Variant) -> None:
    """Where the body is Discord's own it says how long; the headers may not."""
    headers, told = throttled(variant)
    assert isinstance(told, dict) is (variant not in {"html", "nothing"})
    if isinstance(told, dict):
        assert told["retry_after"] > 0
        assert told["global"] is (variant == "global_unsaid")
    assert ("Retry-After" in headers) is (variant not in {"bare", "nothing"})
    assert ("X-RateLimit-Bucket" in headers) is (variant in {"reset_zero", "hour"})

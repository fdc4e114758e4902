"""Tests of what the bot knows of itself while it runs."""

from clipsaver.guilds.state import BotState


def test_nothing_is_synchronised_before_a_session_is_ready() -> None:
    """Even though nothing is expected yet."""
    state = BotState()
    before = state.synchronised
    state.ready(0, [])
    assert (before, state.synchronised) == (False, True)


def test_guilds_are_expected_until_they_are_seen_left_or_out() -> None:
    """Over all sessions."""
    state = BotState()
    state.ready(0, [1, 2])
    state.ready(1, [3])
    assert state.expected == {1, 2, 3}
    state.seen(1)
    state.outage(2)
    before = state.synchronised
    state.left(3)
    assert (before, state.synchronised) == (False, True)
    assert (state.guilds, state.unavailable) == ({1}, {2})


def test_an_outage_ends_when_the_guild_is_seen_again() -> None:
    """It never was gone."""
    state = BotState()
    state.outage(1)
    state.seen(1)
    assert (state.guilds, state.unavailable) == ({1}, set())


def test_a_new_session_expects_its_guilds_anew() -> None:
    """Also those that were there."""
    state = BotState()
    state.ready(0, [1])
    state.seen(1)
    state.ready(0, [1])
    assert state.expected == {1}


def test_guilds_that_never_come_are_in_an_outage() -> None:
    """One of them must not keep the others from being ready."""
    state = BotState()
    state.ready(0, [1, 2])
    state.seen(1)
    assert state.settle() == {2}
    assert state.synchronised
    assert state.unavailable == {2}


def test_tags_may_overlap() -> None:
    """One is there until the last block that wears it ends, also by an error."""
    state = BotState()
    with state.tag("sync:guilds"):
        try:
            with state.tag("sync:guilds"), state.tag("sync:channels"):
                assert state.tags == {"sync:guilds", "sync:channels"}
                raise ValueError  # noqa: TRY301 - what is tested
        except ValueError:
            pass
        assert state.tags == {"sync:guilds"}
    assert state.tags == frozenset()


def test_without_a_session_nothing_is_synchronised() -> None:
    """Until the next one says what will come; the guilds are known all the same."""
    state = BotState()
    state.ready(0, [1])
    state.seen(1)
    state.away()
    before = state.synchronised
    state.ready(0, [1])
    assert (before, state.synchronised, state.guilds) == (False, False, {1})
    state.seen(1)
    assert state.synchronised


def test_a_snapshot_has_what_ready_shows() -> None:
    """Numbers, not lists of guilds."""
    state = BotState()
    state.ready(0, [1, 2])
    state.seen(1)
    with state.tag("sync:guilds"):
        assert state.snapshot() == {
            "guilds": 1,
            "expected": 1,
            "unavailable": 0,
            "shards": [0],
            "tags": ["sync:guilds"],
            "synchronised": False,
        }

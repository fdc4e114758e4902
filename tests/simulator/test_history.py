"""A channel's past that is computed, and what happened since."""

from hypothesis import given
from hypothesis import strategies as st

from clipsaver.simulator.entities import Message
from clipsaver.simulator.history import History, Slots, mix
from clipsaver.simulator.past import Past

START_MS = 1_700_000_000_000


def make_history(count: int = 50, *, ordinal: int = 1, seed: int = 3) -> History:
    """A history of generated messages."""
    slots = Slots(seed=mix(seed), ordinal=ordinal, count=count, start_ms=START_MS, step_ms=1000)
    past = Past(
        channel_id=7, guild_id=1, slots=slots, people=(11, 12, 13), bots=(21,), webhook_id=31, videos_percent=20
    )
    return History(slots=slots, author=past)


def ids(messages: list[Message]) -> list[int]:
    """The ids of messages."""
    return [message.id for message in messages]


def test_ids_grow_with_the_index_and_give_it_back() -> None:
    """Id and index follow from one another."""
    slots = make_history(500).slots
    assert slots is not None
    made = [slots.id_of(index) for index in range(500)]
    assert sorted(set(made)) == made
    assert list(range(500)) == [slots.first_from(one) for one in made]
    assert [*range(1, 500), 500] == [slots.first_from(one + 1) for one in made]


def test_channels_never_share_an_id() -> None:
    """The channel's number is part of its messages' ids."""
    ones, others = (set(make_history(300, ordinal=number).ids()) for number in (1, 2))
    assert not ones & others


def test_ids_outside_the_past_are_before_its_first_or_after_its_last() -> None:
    """Any number can be asked for."""
    history = make_history(5)
    assert history.before(0, 10) == []
    assert len(history.after(0, 10)) == 5
    assert history.after(1 << 62, 10) == []
    assert None is history.get(12345)


def test_pages_are_newest_first_in_every_direction() -> None:
    """Discord answers newest first, also with ``after`` and ``around``."""
    history = make_history(50)
    all_ids = list(history.ids())
    assert all_ids[30:40][::-1] == ids(history.before(all_ids[40], 10))
    assert all_ids[41:51][::-1] == ids(history.after(all_ids[40], 10))
    assert all_ids[38:43][::-1] == ids(history.around(all_ids[40], 5))
    assert all_ids[38:42][::-1] == ids(history.around(all_ids[40] - 1, 4))
    assert all_ids[40:41] == ids(history.around(all_ids[40], 1))


def test_an_empty_channel_has_no_messages() -> None:
    """A new channel's history is empty in every direction."""
    history = History()
    assert len(history) == 0
    assert None is history.last_id()
    assert history.before(1 << 62, 5) + history.after(0, 5) + history.around(9, 5) == []
    assert False is history.delete(5)


def test_sent_messages_come_between_generated_ones() -> None:
    """What is sent lies at its id, wherever that is."""
    history = make_history(10)
    all_ids = list(history.ids())
    new = all_ids[4] + 1
    history.put(Message(id=new, channel_id=7, author_id=11, content="new"))
    assert [*all_ids[:5], new, *all_ids[5:]] == list(history.ids())
    assert [new, all_ids[4]] == ids(history.before(all_ids[5], 2))
    assert [all_ids[5], new] == ids(history.after(all_ids[4], 2))
    assert len(history) == 11
    assert True is history.delete(new)
    assert all_ids == list(history.ids())


def test_an_edit_replaces_a_generated_message() -> None:
    """The new version is what everyone sees from then on."""
    history = make_history(10)
    target = history.before(1 << 62, 1)[0]
    history.put(Message(id=target.id, channel_id=7, author_id=11, content="changed"))
    assert history.before(1 << 62, 1)[0].content == "changed"
    assert len(history) == 10
    assert {target.id} == set(history.changed())


def test_a_deleted_message_is_gone_and_can_come_back() -> None:
    """Deleting hides a generated message; putting one there again shows that."""
    history = make_history(10)
    target = list(history.ids())[3]
    assert True is history.delete(target)
    assert None is history.get(target)
    assert False is history.delete(target)
    assert target not in list(history.ids())
    assert len(history) == 9
    history.put(Message(id=target, channel_id=7, author_id=11, content="again"))
    assert 10 == len(list(history.ids())) == len(history)


def test_clips_are_those_of_the_messages() -> None:
    """The truth equals what every single message says of itself, edits and deletions included."""
    history = make_history(400)
    first = next(history.clips())[0]
    history.delete(first)
    edited = next(history.clips())[0]
    history.put(Message(id=edited, channel_id=7, author_id=11, content="nothing any more"))
    expected = {one.id: one.clips for one in history.before(1 << 62, 400) if one.clips}
    assert expected == dict(history.clips())
    assert first not in expected
    assert edited not in expected


@given(
    count=st.integers(0, 40),
    sent=st.lists(st.integers(0, 60_000), max_size=10),
    deleted=st.lists(st.integers(0, 39), max_size=10),
    asked=st.integers(-5_000, 60_000),
    limit=st.integers(1, 15),
)
def test_pages_equal_slices_of_the_whole(
    count: int, sent: list[int], deleted: list[int], asked: int, limit: int
) -> None:
    """Any page is a slice of the list one would get by writing everything down."""
    history = make_history(count)
    generated = list(history.ids())
    for moment in sent:
        history.put(Message(id=(START_MS - 1_420_070_400_000 + moment) << 22, channel_id=7, author_id=11))
    for index in deleted:
        if index < len(generated):
            history.delete(generated[index])
    everything = sorted(history.ids())
    here = (START_MS - 1_420_070_400_000 + asked) << 22
    assert [one for one in everything if one < here][::-1][:limit] == ids(history.before(here, limit))
    assert [one for one in everything if one > here][:limit][::-1] == ids(history.after(here, limit))
    assert len(everything) == len(history)
    assert (everything[-1] if everything else None) == history.last_id()

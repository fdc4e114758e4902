"""JSON shapes that need a look of their own."""

from datetime import UTC, datetime

import pytest

from clipsaver.simulator import guild_payloads, payloads
from clipsaver.simulator.entities import PUBLIC_THREAD, Channel, Member, Message
from clipsaver.simulator.world import World
from tests.simulator.conftest import named

LINKS = payloads.Links(secret=b"s", clock=lambda: 1_760_000_000.0)


def test_every_form_of_message_has_the_required_fields() -> None:
    """Discord's description requires these of every message."""
    world = World.from_seed(2, messages=3000, videos_percent=40)
    channel = named(world, "clips")
    required = set(world.payload_of(Message(id=1 << 40, channel_id=2, author_id=3)))
    assert {"id", "channel_id", "author", "content", "type", "attachments", "edited_timestamp", "tts"} <= required
    seen: set[str] = set()
    for message in world.histories[channel.id].before(1 << 62, 3000):
        payload = world.payload_of(message)
        assert required <= set(payload)
        seen |= set(payload) - required
    expected = set(
        "webhook_id application_id message_reference message_snapshots sticker_items poll referenced_message".split()  # noqa: SIM905 - likewise
    )
    assert expected == seen


def test_without_the_intent_content_is_blank_but_for_own_messages_and_mentions() -> None:
    """Forwards and what is replied to are blank as well."""
    world = World.from_seed(2, messages=3000, videos_percent=40)
    channel = named(world, "clips")
    for message in world.histories[channel.id].before(1 << 62, 3000):
        blank = world.payload_of(message, intents_content=False)
        shown = [blank, blank.get("referenced_message") or {}]
        shown += [one["message"] for one in blank.get("message_snapshots", ())]
        assert not any(one.get(name) for one in shown for name in ("content", *payloads.CONTENT_FIELDS, "poll"))
    own = world.send_message(channel.id, world.bot_id, content="mine")
    assert world.payload_of(own, intents_content=False)["content"] == "mine"
    told = world.send_message(channel.id, next(iter(world.users)), content="you", mentions=(world.bot_id,))
    assert world.payload_of(told, intents_content=False)["content"] == "you"


def test_a_webhooks_author_is_the_webhook() -> None:
    """Its name is the message's, its discriminator 0000."""
    payload = payloads.message_payload(
        Message(id=1 << 40, channel_id=2, author_id=3, webhook_name="Relay"), LINKS, lambda _: {}
    )
    assert tuple(payload["author"][name] for name in ("id", "username", "discriminator")) == ("3", "Relay", "0000")
    assert payload["webhook_id"] == "3"


def test_interaction_metadata_is_told() -> None:
    """Answers to commands carry it."""
    metadata = {"id": "1", "type": 2}
    message = Message(id=1 << 40, channel_id=2, author_id=3, interaction_metadata=metadata)
    assert metadata == payloads.message_payload(message, LINKS, lambda _: {})["interaction_metadata"]


def test_a_timed_out_member_says_until_when() -> None:
    """And a message's member has no user in it."""
    until = datetime(2025, 1, 1, tzinfo=UTC)
    payload = payloads.member_payload(Member(user_id=1, joined_at=until, timed_out_until=until), None)
    assert payload["communication_disabled_until"] == "2025-01-01T00:00:00+00:00"
    assert "user" not in payload


def test_a_thread_without_a_threads_state_is_refused() -> None:
    """A world can't be put together that wrongly without hearing of it."""
    wrong = Channel(id=1, guild_id=2, type=PUBLIC_THREAD, name="x")
    with pytest.raises(ValueError, match="no thread"):
        guild_payloads._thread_fields(wrong, 0)


def test_links_are_signed_and_tell_when_they_end() -> None:
    """Hex seconds, a day apart."""
    world = World.from_seed(1)
    world.clock = lambda: 1_760_000_000.0
    file = world.make_attachment(5)
    path = world.links.path(file)
    assert f"/attachments/5/{file.id}/clip.mp4?ex=68e8c980&is=68e77800&hm=" in path
    assert path.endswith("&")

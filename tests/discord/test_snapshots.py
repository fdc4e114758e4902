"""Raw payloads become frozen snapshots, one odd message at a time."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.discord.snapshots import (
    AttachmentSnapshot,
    ChannelSnapshot,
    EmbedSnapshot,
    ForwardSnapshot,
    MediaSnapshot,
    MessageSnapshot,
    NamedSnapshot,
    OddPayload,
    OverwriteSnapshot,
    RoleSnapshot,
    UserSnapshot,
    VideoSnapshot,
    redact,
    structure_channel,
    structure_guild,
    structure_message,
    structure_role,
    structure_user,
)
from tests.discord.payloads import attachment, message, user

NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)
jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("a1é\0", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("a1é\0", max_size=5), inner, max_size=3),
    max_leaves=8,
)
MESSAGE_KEYS = [*message(), "message_snapshots", "webhook_id", "application_id"]


def test_a_clip_whole() -> None:
    """Everything that Discord's own clips carry is kept."""
    clip = attachment(
        title="Run",
        description="fast",
        content_type="video/mp4",
        width=1920,
        height=1080,
        duration_secs=12.5,
        flags=1,
        clip_participants=[user(8)],
        clip_created_at="2024-01-01T00:00:00Z",
        application={"id": "5", "name": "Game"},
    )
    snapshot = structure_message(message(attachments=[clip], webhook_id="3", application_id=4))
    place = "https://cdn.discordapp.com/attachments/2/11/run.mp4?ex=1&is=2&hm=3"
    assert snapshot == MessageSnapshot(
        id=1,
        channel_id=2,
        author=UserSnapshot(id=7, username="nelly", global_name="Nelly"),
        content="hi",
        timestamp=NEW_YEAR,
        webhook_id=3,
        application_id=4,
        attachments=(
            AttachmentSnapshot(
                id=11,
                filename="run.mp4",
                title="Run",
                description="fast",
                content_type="video/mp4",
                size=123,
                url=place,
                proxy_url=place,
                height=1080,
                width=1920,
                duration_secs=12.5,
                flags=1,
                clip_participants=(UserSnapshot(id=8, username="nelly", global_name="Nelly"),),
                clip_created_at=NEW_YEAR,
                application=NamedSnapshot(name="Game"),
            ),
        ),
    )


def test_ids_alone_are_enough() -> None:
    """What is missing or null has a default; the moment is in the id."""
    bare = structure_message({"id": 175928847299117063, "channel_id": "2"})
    nulls = structure_message(dict.fromkeys(MESSAGE_KEYS) | {"id": "175928847299117063", "channel_id": 2})
    assert bare == nulls
    assert datetime(2016, 4, 30, 11, 18, 25, 796000, tzinfo=UTC) == bare.posted_at
    assert bare.author is None


def test_unknown_values_are_no_trouble() -> None:
    """Kinds, flags and keys that Discord adds later are kept or ignored."""
    future = message(type=999, flags=1 << 40, hologram={"x": 1}, embeds=[{"type": "hologram"}])
    snapshot = structure_message(future)
    assert (snapshot.type, snapshot.flags) == (999, 1 << 40)
    assert (EmbedSnapshot(type="hologram"),) == snapshot.embeds


def test_a_forward_shows_what_it_carries() -> None:
    """Attachments, embeds and components of a forwarded message are found, without an author."""
    inside = {
        "content": "look",
        "timestamp": "2024-01-01T00:00:00",
        "attachments": [attachment()],
        "embeds": [{"type": "video", "url": "https://v.example/1", "video": {"url": "https://v.example/1.mp4"}}],
        "components": [{"type": 13, "file": {"url": "attachment://a.mp4"}}],
        "flags": None,
    }
    forward = message(
        message_reference={"type": 1, "message_id": "5"}, message_snapshots=[{"message": inside}, {"message": None}]
    )
    (found,) = structure_message(forward).forwarded
    assert isinstance(found, ForwardSnapshot)
    assert found.timestamp == NEW_YEAR
    assert [file.id for file in found.attachments] == [11]
    assert (VideoSnapshot(url="https://v.example/1.mp4"),) == tuple(embed.video for embed in found.embeds)
    assert (MediaSnapshot(kind=13, url="attachment://a.mp4"),) == found.media


def test_media_in_components_of_every_nesting() -> None:
    """Galleries, files, thumbnails and accessories are found in containers, sections and rows."""

    def medium(number: int, **more: Any) -> dict[str, Any]:
        return {"id": "77", "url": f"https://m.example/{number}", "proxy_url": "p", "attachment_id": str(number)} | more

    components = [
        {"type": 10, "content": "text"},
        {"type": 1, "components": [{"type": 2, "label": "a button"}]},
        {
            "type": 17,
            "components": [
                {"type": 9, "components": [{"type": 10}], "accessory": {"type": 11, "media": medium(1)}},
                {"type": 12, "items": [{"media": medium(2), "spoiler": True, "description": "d"}, {"media": None}]},
                {"type": 13, "file": medium(3, content_type="video/mp4", width=-1), "name": "a.mp4", "size": 9},
            ],
        },
        {"type": 9, "accessory": None},
        {"type": "of a later age"},
    ]
    components[2]["components"][2]["file"]["width"] = 2**40  # type: ignore[index]
    found = structure_message(message(components=components)).media
    common: dict[str, Any] = {"proxy_url": "p", "id": 77}
    assert found == (
        MediaSnapshot(kind=11, url="https://m.example/1", attachment_id=1, **common),
        MediaSnapshot(kind=12, url="https://m.example/2", attachment_id=2, spoiler=True, description="d", **common),
        MediaSnapshot(
            kind=13,
            url="https://m.example/3",
            attachment_id=3,
            content_type="video/mp4",
            name="a.mp4",
            size=9,
            **common,
        ),
    )


def test_an_embed_says_where_its_video_is() -> None:
    """Video and provider are kept, sizes that are none are not."""
    embed = {
        "type": "video",
        "url": "https://v.example/1",
        "title": "t",
        "provider": {"name": "V"},
        "video": {"url": "https://v.example/1.mp4", "content_type": "video/mp4", "width": 640, "height": 2**32},
    }
    assert structure_message(message(embeds=[embed, {"provider": {}}])).embeds == (
        EmbedSnapshot(
            type="video",
            url="https://v.example/1",
            provider=NamedSnapshot(name="V"),
            video=VideoSnapshot(url="https://v.example/1.mp4", content_type="video/mp4", width=640),
        ),
        EmbedSnapshot(provider=NamedSnapshot()),
    )


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ([], "not an object"),
        ({}, "id: missing"),
        ({"id": None, "channel_id": 1}, "id: missing"),
        (message(id=True), "id: not a whole number"),
        (message(id="-5"), "id: not a whole number"),
        (message(id=2**63), "id: a number out of range"),
        (message(id="9" * 5000), "id: a number out of range"),
        (message(content=5), "content: not a text"),
        (message(timestamp="secret"), "timestamp: not a moment"),
        (message(timestamp=5), "timestamp: not a moment"),
        (message(author=user(bot="secret")), "author.bot: neither true nor false"),
        (message(attachments=5), "attachments: not a list"),
        (message(attachments={"secret": 1}), "attachments[0]: not an object"),
        (message(attachments=[attachment(), attachment(size="secret")]), "attachments[1].size: not a whole number"),
        (message(attachments=[attachment(duration_secs="secret")]), "attachments[0].duration_secs: not a number"),
        (message(attachments=[attachment(url=None)]), "attachments[0].url: missing"),
        (
            message(attachments=[attachment(clip_participants=[user(), {"name": "secret"}])]),
            "attachments[0].clip_participants[1].id: missing",
        ),
        (message(attachments=[attachment(application="secret")]), "attachments[0].application: not an object"),
        (
            message(message_snapshots=[{"message": {"attachments": [{"id": "secret"}]}}]),
            "message_snapshots[0].attachments[0].id: not a whole number",
        ),
        (message(message_snapshots="secret"), "message_snapshots: not a list"),
        (message(components="secret"), "components: not a list"),
        (
            message(components=[{"type": 17, "components": [{"type": 12, "items": [{"media": {"url": 3}}]}]}]),
            "components[0].components[0].items[0].media.url: not a text",
        ),
        (message(components=[{"type": 9, "accessory": "secret"}]), "components[0].accessory: not an object"),
        (
            message(components=[{"type": 12, "items": [{"media": {}}] * 1001}]),
            "components[0].items[1000]: more media than a message can hold",
        ),
    ],
)  # fmt: skip
def test_an_odd_message_says_where_and_how(payload: object, reason: str) -> None:
    """The reason names the place and the kind of problem, never what was in it."""
    with pytest.raises(OddPayload) as caught:
        structure_message(payload)
    assert reason == caught.value.reason
    assert f"Discord sent a message that can't be read: {reason}." == str(caught.value)
    assert caught.value.permanent


def test_components_nested_beyond_reason_are_odd() -> None:
    """Depth is bounded; the recursion never is Python's."""
    nested: dict[str, Any] = {"type": 10}
    for _ in range(900):
        nested = {"type": 17, "components": [nested]}
    with pytest.raises(OddPayload, match="nested too deep"):
        structure_message(message(components=[nested]))


def test_text_is_fit_for_the_database() -> None:
    """NUL and half surrogates, which PostgreSQL refuses, are replaced."""
    snapshot = structure_message(message(content="a\0b\ud800c é"))
    assert snapshot.content == "a\ufffdb?c é"


@given(st.dictionaries(st.sampled_from(MESSAGE_KEYS), jsons))
def test_any_message_is_read_or_odd(changes: dict[str, Any]) -> None:
    """Whatever stands in a payload, the answer is a snapshot or OddPayload, and it can be kept redacted."""
    payload = message() | changes
    orjson.dumps(redact(payload))
    try:
        snapshot = structure_message(payload)
    except OddPayload as odd:
        assert odd.reason  # noqa: PT017 - either outcome is right
    else:
        assert isinstance(snapshot, MessageSnapshot)


def test_a_guild_with_everything() -> None:
    """Channels of a guild know their guild, and an odd one is left out and told."""
    guild = structure_guild(
        {
            "id": "1",
            "name": "G",
            "icon": "a_b",
            "owner_id": 7,
            "roles": [{"id": "1", "name": "@everyone", "permissions": "8", "position": -1}, {"id": "secret"}],
            "channels": [
                {
                    "id": "3",
                    "type": 0,
                    "name": "clips",
                    "nsfw": True,
                    "position": 2,
                    "permission_overwrites": [{"id": "1", "type": 0, "allow": "1", "deny": "2"}],
                    "last_message_id": None,
                },
            ],
            "threads": "secret",
        },
    )
    assert guild.icon_url == "https://cdn.discordapp.com/icons/1/a_b.gif"
    assert (RoleSnapshot(id=1, name="@everyone", permissions=8),) == guild.roles
    overwrites = (OverwriteSnapshot(id=1, type=0, allow=1, deny=2),)
    assert guild.channels == (
        ChannelSnapshot(
            id=3, type=0, guild_id=1, name="clips", nsfw=True, position=2, permission_overwrites=overwrites
        ),
    )
    assert guild.odd == ("roles[1].id: not a whole number", "threads: not a list")


def test_icons() -> None:
    """A guild may have no icon; others are pictures."""
    assert structure_guild({"id": 1}).icon_url is None
    assert structure_guild({"id": 1, "icon": "b"}).icon_url == "https://cdn.discordapp.com/icons/1/b.png"


def test_the_small_ones() -> None:
    """Users, roles and channels are read alone, too."""
    assert UserSnapshot(id=7, username="nelly", global_name="Nelly", bot=True) == structure_user(user(bot=True))
    assert RoleSnapshot(id=1, permissions=8) == structure_role({"id": 1, "permissions": "8"})
    assert ChannelSnapshot(id=1, type=11, parent_id=2) == structure_channel({"id": 1, "type": 11, "parent_id": "2"})


def test_redacting_keeps_the_shape_and_nobodys_words() -> None:
    """Ids, kinds, numbers and moments stay; texts, names and signatures go."""
    payload = message(
        content="secret",
        attachments=[attachment(title="secret", content_type="video/mp4")],
        embeds=[{"type": "secret words here", "url": "ftp://secret", "provider_url": "https://[bad"}],
        nonce="secret",
        application_id="secret",
        **{"Secret Key": 1},
        deep=[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]],
        odd=object(),
    )
    kept = redact(payload)
    assert kept["id"] == "1"
    assert kept["timestamp"] == "2024-01-01T00:00:00.000000+00:00"
    assert kept["attachments"] == [
        {
            "id": "11",
            "filename": "",
            "size": 123,
            "url": "https://cdn.discordapp.com/_/2/11/_.mp4",
            "proxy_url": "https://cdn.discordapp.com/_/2/11/_.mp4",
            "title": "",
            "content_type": "video/mp4",
        },
    ]
    assert kept["embeds"] == [{"type": "", "url": "", "provider_url": ""}]
    written = orjson.dumps(kept).lower()
    assert b"secret" not in written
    assert b"nelly" not in written
    assert b"hm=" not in written


def test_redacting_bounds_what_it_keeps() -> None:
    """However much a payload holds, what is kept of it is little."""
    kept = redact({"list": list(range(5000))} | {f"k{n}": {f"x{m}": m for m in range(300)} for n in range(300)})
    assert len(kept) == 200
    assert len(kept["list"]) == 200
    assert len(kept["k1"]) == 200

"""Finding the clips of messages and pages."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.clips.finding import find_clips, find_in, sift
from clipsaver.clips.model import Batch, Found, FoundClip
from clipsaver.clips.rules import Rules
from clipsaver.discord.raw import read_messages
from clipsaver.discord.snapshots import structure_message
from tests.clips.build import OWN, attachment, forward, message, read_page, rules


def find(payload: dict[str, Any], **changed: Any) -> Found:
    """Find the clips of a raw message under the default rules, but for some settings."""
    return find_clips(structure_message(payload), rules(**changed))


def ids(found: Found) -> list[str]:
    """The found clips' ids."""
    return [clip.clip_id for clip in found.clips]


def test_everything_discord_says_of_a_clip_is_kept() -> None:
    """All fields of an attachment made with Discord's clip button."""
    clip = attachment(
        7,
        "SPOILER_run.mp4",
        title="Run",
        description="A run",
        width=1920,
        height=1080,
        duration_secs=12.5,
        flags=1 | 8,
        clip_created_at="2026-01-01T10:00:00+00:00",
        clip_participants=[{"id": "1", "username": "a"}, {"id": "2", "username": "b"}],
        application={"id": "9", "name": "A Game"},
    )
    assert find(message(3, clip)).clips == (
        FoundClip(
            clip_id="3-7",
            message_id=3,
            attachment_id=7,
            filename="SPOILER_run.mp4",
            title="Run",
            description="A run",
            content_type="video/mp4",
            size=1_000,
            url=clip["url"],
            url_expires_at=datetime(2026, 5, 10, 3, 48, 16, tzinfo=UTC),
            width=1920,
            height=1080,
            duration_seconds=12.5,
            is_clip=True,
            is_spoiler=True,
            is_forward=False,
            game="A Game",
            clip_created_at=datetime(2026, 1, 1, 10, tzinfo=UTC),
            participants=(1, 2),
        ),
    )


def test_an_attachment_with_the_least_there_can_be() -> None:
    """Missing optional fields are unknown, and hide nothing."""
    (clip,) = find(
        message(3, {"id": "7", "filename": "a.MOV", "url": "https://x.invalid/a.MOV"}),
        min_video_seconds=60,
        max_file_size_mb=1,
    ).clips
    assert (clip.size, clip.duration_seconds, clip.url_expires_at, clip.content_type) == (None, None, None, None)
    assert (clip.is_clip, clip.is_spoiler, clip.game, clip.participants) == (False, False, None, ())


@pytest.mark.parametrize(
    ("flags", "filename", "expected"),
    [(8, "a.mp4", True), (32, "a.mp4", False), (0, "SPOILER_a.mp4", True), (0, "a_SPOILER_.mp4", False)],
)
def test_spoilers_are_told_by_flag_or_name(flags: int, filename: str, *, expected: bool) -> None:
    """Discord's flag, or the prefix that uploaders put."""
    (clip,) = find(message(3, attachment(7, filename, flags=flags))).clips
    assert clip.is_spoiler is expected


def test_two_files_of_one_name_are_two_clips() -> None:
    """And what is no video stays out without a word."""
    found = find(message(3, attachment(7), attachment(8), attachment(9, "a.png", content_type="image/png")))
    assert ids(found) == ["3-7", "3-8"]
    assert found.skipped == ()


def test_a_forward_is_another_place_of_the_file() -> None:
    """Its clips are in the snapshot, and belong to the message that forwards."""
    (clip,) = find(forward(3, attachment(7))).clips
    assert (clip.clip_id, clip.message_id, clip.is_forward) == ("3-7", 3, True)


def gallery(*media: dict[str, Any]) -> list[dict[str, Any]]:
    """Components that show some media."""
    return [{"type": 17, "components": [{"type": 12, "items": [{"media": medium} for medium in media]}]}]


def test_media_in_components() -> None:
    """With an attachment behind them they are that attachment, else they have a number of their own."""
    shown = gallery(
        {"id": "1", "url": "https://cdn.discordapp.com/attachments/5/7/a.mp4?ex=6a000000", "attachment_id": "7"},
        {"id": "2", "url": "https://example.invalid/b.webm?x=1", "width": 10, "height": 20},
        {"id": "3", "url": "https://example.invalid/c", "content_type": "video/mp4"},
        {"id": "4", "url": "https://example.invalid/d.png", "content_type": "image/png"},
        {"id": "5", "url": "https://cdn.discordapp.com/attachments/5/8/e.png", "attachment_id": "8"},
    )
    found = find(message(3, components=shown))
    assert ids(found) == ["3-7", "3-e0", "3-e1"]
    first, second, third = found.clips
    assert (first.attachment_id, first.filename, first.url_expires_at is not None) == (7, "a.mp4", True)
    assert (second.attachment_id, second.filename, second.width, second.height) == (None, "b.webm", 10, 20)
    assert (third.attachment_id, third.filename) == (None, "c")


def test_a_file_component() -> None:
    """Its name and size are the component's, and so is the spoiler."""
    shown = [
        {
            "type": 13,
            "name": "real.mp4",
            "size": 5 * 1024 * 1024,
            "spoiler": True,
            "file": {"url": "https://cdn.discordapp.com/attachments/5/7/x", "attachment_id": "7"},
        }
    ]
    (clip,) = find(message(3, components=shown)).clips
    assert (clip.filename, clip.size, clip.is_spoiler) == ("real.mp4", 5 * 1024 * 1024, True)
    assert find(message(3, components=shown), max_file_size_mb=1).skipped == ("too_large",)


def embed(url: str | None, **video: Any) -> dict[str, Any]:
    """An embed with a video."""
    return {"type": "video", "url": url, "video": ({"url": url} if url else {}) | {"width": 1, "height": 2} | video}


def test_an_embedded_link_to_an_attachment() -> None:
    """It has no attachment here: it is numbered by its place."""
    found = find(
        message(
            3,
            embeds=[
                {"type": "image"},
                embed("https://cdn.discordapp.com/attachments/1/22/other.mp4?ex=6a000000&is=1&hm=1"),
            ],
        )
    )
    (clip,) = found.clips
    assert (clip.clip_id, clip.attachment_id, clip.filename) == ("3-e1", None, "other.mp4")
    assert clip.url_expires_at == datetime(2026, 5, 10, 3, 48, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    "other",
    [
        embed("https://www.youtube.invalid/embed/x.mp4"),
        embed("https://cdn.discordapp.com/attachments/1/22/picture.png"),
        embed(None),
        {"type": "rich", "title": "text"},
    ],
)
def test_other_embeds_are_no_files(other: dict[str, Any]) -> None:
    """Players of other sites, pictures, and embeds without a video."""
    assert find(message(3, embeds=[other])) == Found(message=structure_message(message(3, embeds=[other])))


def test_one_file_is_one_clip_however_often_it_is_shown() -> None:
    """As an attachment, in components, in an embed and in a forward."""
    url = "https://cdn.discordapp.com/attachments/5/7/a.mp4"
    payload = forward(3, attachment(7)) | {
        "attachments": [attachment(7), attachment(7)],
        "components": gallery({"url": url, "attachment_id": "7"}, {"url": url}),
        "embeds": [embed(url), embed(url)],
    }
    found = find(payload)
    assert ids(found) == ["3-7"]
    assert not found.clips[0].is_forward


def test_text_decides_for_the_whole_message() -> None:
    """One reason for each video; a forward's text counts as the message's."""
    assert find(message(3, attachment(7), attachment(8)), match_regex="goal").skipped == ("not_matched",) * 2
    assert ids(find(message(3, attachment(7), content="goal!"), match_regex="goal")) == ["3-7"]
    assert ids(find(forward(3, attachment(7), content="goal!"), match_regex="goal")) == ["3-7"]
    assert find(forward(3, attachment(7), content="boring"), exclude_regex="boring").skipped == ("excluded",)


@pytest.mark.parametrize(
    "written_by",
    [
        {"author": {"id": "5", "username": "b", "bot": True}},
        {"webhook_id": "5", "author": {"id": "5", "username": "hook"}},
    ],
)
def test_bots_are_a_matter_of_settings(written_by: dict[str, Any]) -> None:
    """Bots and webhooks count unless they are switched off."""
    assert ids(find(message(3, attachment(7), **written_by))) == ["3-7"]
    assert find(message(3, attachment(7), **written_by), include_bots=False).skipped == ("from_bot",)
    assert find(message(3, content="no video", **written_by), include_bots=False).skipped == ()


def test_each_video_is_judged_for_itself() -> None:
    """Too large and too short ones are left out with their reasons, the rest stays."""
    found = find(
        message(3, attachment(7, size=3_000_000), attachment(8, duration_secs=1.0), attachment(9, duration_secs=9.0)),
        max_file_size_mb=2,
        min_video_seconds=5,
    )
    assert ids(found) == ["3-9"]
    assert found.skipped == ("too_large", "too_short")


def test_text_is_kept_only_where_it_is_wanted() -> None:
    """And only with a clip."""
    assert find(message(3, attachment(7), content="hi")).content is None
    assert find(message(3, attachment(7), content="hi"), enable_message_content_storage=True).content == "hi"
    assert find(message(3, content="hi"), enable_message_content_storage=True).content is None


def test_a_page_is_counted() -> None:
    """Messages, those with clips, clips, and what was left out."""
    payloads = [
        message(1),
        message(2, attachment(7), attachment(8)),
        message(3, attachment(9, size=10**9)),
        message(4, embeds=[{"type": "rich"}]),
        message(5, attachment(10, "a.png", content_type="image/png")),
    ]
    batch = read_page(payloads, rules())
    assert (batch.ids, batch.scanned, batch.matched, batch.clips_found) == ((1, 2, 3, 4, 5), 5, 1, 2)
    assert batch.skipped == {"too_large": 1}
    assert [found.message.id for found in batch.found] == [2]


@pytest.mark.parametrize(
    "own",
    [
        {"application_id": str(OWN)},
        {"author": {"id": str(OWN), "username": "us", "bot": True}},
        {"author": {"id": "998", "username": "us", "bot": True}},
    ],
)
def test_our_own_messages_are_passed_over(own: dict[str, Any]) -> None:
    """By application or by author, also where an old application's user has another id."""
    assert read_page([message(1, attachment(7), **own)], rules(), 998) == Batch()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (message(2, {"id": "7"}), "attachments[0].filename: missing"),
        (message(2, attachment(7, size="huge")), "attachments[0].size: not a whole number"),
        (message(2) | {"attachments": [5]}, "attachments[0]: not an object"),
        (message(2, attachment(-7)), "attachments[0].id: not a whole number"),
        (message(2, attachment(7), author={"id": -5, "username": "x"}), "author.id: a number out of range"),
    ],
)
def test_an_odd_message_stays_alone(broken: dict[str, Any], reason: str) -> None:
    """Its neighbours are read, and it is kept apart without anybody's words."""
    broken = broken | {"content": "secret words"}
    batch = read_page([message(1, attachment(6)), broken, message(3, attachment(8))], rules())
    assert (batch.ids, batch.scanned, batch.matched, batch.skipped) == ((1, 2, 3), 3, 2, {"odd": 1})
    (odd,) = batch.odd
    assert (odd.message_id, odd.reason) == (2, reason)
    assert "secret" not in str(odd.payload)


def test_other_files_are_not_looked_at() -> None:
    """Whatever is wrong with a picture, nobody looks; but a file that says nothing of itself may be a video."""
    picture = attachment(7, "a.png", content_type="image/png", size="huge")
    assert read_page([message(1, picture)], rules()).odd == ()
    assert len(read_page([message(1, picture, {"id": "8"})], rules()).odd) == 1


def test_a_number_beyond_all_bounds_is_odd() -> None:
    """The payload can't be read; its neighbours can."""
    body = orjson.dumps([message(1, attachment(7)), message(2, attachment(8), type=77)]).replace(b":77", b":1e999")
    batch = find_in(sift(read_messages(body), OWN), rules())
    assert (batch.ids, batch.matched) == ((1, 2), 1)
    assert [(odd.message_id, odd.reason, odd.payload) for odd in batch.odd] == [
        (2, "not readable as JSON", {"id": "2"})
    ]


def test_pages_are_joined() -> None:
    """Their counts add up."""
    one = read_page([message(1, attachment(7)), message(2, {"id": "7"})], rules())
    two = read_page([message(3, attachment(8)), message(4, attachment(9, size=10**9)), message(5, {})], rules())
    joined = Batch.joined([one, two])
    assert joined == read_page(
        [
            message(1, attachment(7)),
            message(2, {"id": "7"}),
            message(3, attachment(8)),
            message(4, attachment(9, size=10**9)),
            message(5, {}),
        ],
        rules(),
    )
    assert joined.skipped == {"odd": 2, "too_large": 1}


names = st.sampled_from(["a.mp4", "B.WEBM", "c.png", "d", "e.mov.txt", "f.mKv"])
types = st.sampled_from([None, "video/mp4", "image/png", "application/octet-stream", "Video/WebM; codecs=vp9"])


@given(files=st.lists(st.tuples(names, types), max_size=6), forwarded=st.booleans())
def test_exactly_the_videos_are_found(files: list[tuple[str, str | None]], *, forwarded: bool) -> None:
    """A file is a clip if its type or its ending says so, wherever in the message it is."""
    videos = ("a.mp4", "B.WEBM", "f.mKv")
    made = [attachment(10 + at, name, content_type=kind) for at, (name, kind) in enumerate(files)]
    payload = forward(3, *made) if forwarded else message(3, *made)
    expected = [
        f"3-{10 + at}"
        for at, (name, kind) in enumerate(files)
        if name in videos or (kind or "").lower().startswith("video")
    ]
    assert ids(find(payload)) == expected


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
keys = ("attachments", "embeds", "components", "message_snapshots", "author", "content", "timestamp", "flags")


@given(st.dictionaries(st.sampled_from(keys), json, max_size=5))
def test_nothing_in_a_page_can_break_it(odd: dict[str, Any]) -> None:
    """Whatever a message is, the one beside it is read."""
    every = Rules(video_formats=("mp4",), allowed_mime_types=("video/*",))
    batch = read_page([message(1, attachment(7)) | odd, message(2, attachment(8))], every)
    assert batch.scanned == 2
    assert 2 in {found.message.id for found in batch.found}

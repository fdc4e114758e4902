"""What a generated past says."""

from itertools import pairwise

import pytest

from clipsaver.simulator import files
from clipsaver.simulator.entities import IS_CLIP, IS_COMPONENTS_V2, IS_SPOILER, Attachment, Message
from clipsaver.simulator.history import History
from clipsaver.simulator.past import CLIP_FORMS, PLAIN_FORMS
from tests.simulator.test_history import make_history

MESSAGES = make_history(6000).before(1 << 62, 6000)


def test_the_same_seed_says_the_same() -> None:
    """A past is a function of its seed."""
    assert make_history(200).before(1 << 62, 200) == make_history(200).before(1 << 62, 200)
    assert make_history(200).before(1 << 62, 200) != make_history(200, seed=4).before(1 << 62, 200)


def test_every_message_is_its_own() -> None:
    """Texts differ, times differ, several people write."""
    texts = [one.content for one in MESSAGES if one.content and not one.embeds]
    assert len(texts) == len(set(texts))
    assert all(newer.id >> 22 > older.id >> 22 for newer, older in pairwise(MESSAGES))
    assert len({one.author_id for one in MESSAGES}) == 5


def test_about_as_many_hold_clips_as_asked_for() -> None:
    """A fifth was asked for."""
    share = sum(1 for one in MESSAGES if one.clips) / len(MESSAGES)
    assert 0.18 < share < 0.22


@pytest.mark.parametrize("form", sorted({*CLIP_FORMS, *PLAIN_FORMS}))
def test_every_form_occurs(form: str) -> None:
    """No form of message is only in the list."""
    past = make_history(6000).author
    assert past is not None
    assert any(past.form(index)[0] == form for index in range(6000))  # type: ignore[attr-defined]


def videos() -> list[Attachment]:
    """The videos among the attachments."""
    return [one for message in MESSAGES for one in message.attachments if one.kind in files.VIDEO_TYPES]


def test_videos_have_all_the_names_and_types_that_people_upload() -> None:
    """Four containers; types right, wrong, missing and shouted; spoilers, titles and huge ones."""
    found = videos()
    assert {"mp4", "webm", "mov", "mkv"} == {one.kind for one in found}
    types = {one.content_type for one in found}
    assert {None, "application/octet-stream", "text/plain", "video/mp4", "VIDEO/MP4"} <= types
    assert any(one.filename.endswith(".MP4") for one in found)
    assert any("." not in one.filename for one in found)
    assert any(one.flags & IS_SPOILER and one.filename.startswith("SPOILER_") for one in found)
    assert any(one.title for one in found)
    assert any(one.size > files.TOO_LARGE and not one.is_clip for one in found)


def test_some_files_are_posted_again() -> None:
    """Different attachments can hold the same bytes."""
    own = [one.file_id for one in videos() if one.file_id == one.id]
    shared = [one.file_id for one in videos() if one.file_id != one.id]
    assert len(own) == len(set(own))
    assert set(shared) <= set(range(1, files.SHARED_FILES + 1))
    assert len(shared) > len(set(shared)) > 1


def test_files_ids_are_made_from_their_messages() -> None:
    """The message of a file is found by arithmetic."""
    history = make_history(6000)
    for message in MESSAGES[:500]:
        for one in message.attachments:
            assert message.id in files.message_ids(one.id)
            assert history.get(one.id) is None


def test_game_clips_tell_who_when_and_what() -> None:
    """Discord's own recorder leaves its traces."""
    found = [one for one in videos() if one.flags & IS_CLIP]
    assert found
    assert all(one.clip_participants and one.clip_created_at and one.game and one.is_clip for one in found)


def test_forwards_carry_an_earlier_message_of_the_channel() -> None:
    """What is forwarded is there, with the same file."""
    history: History = make_history(6000)
    found = [one for one in MESSAGES if one.forwarded is not None]
    with_clips = [one for one in found if one.clips]
    assert with_clips
    assert len(with_clips) < len(found)
    for message in found:
        assert message.reference is not None
        assert message.reference["type"] == 1
        target = history.get(int(message.reference["message_id"]))
        assert message.forwarded == target
        assert target is not None
        assert target.id < message.id


def test_component_messages_hold_their_media_outside_of_attachments() -> None:
    """Galleries, files and thumbnails; media from elsewhere count by their place."""
    found = [one for one in MESSAGES if one.flags & IS_COMPONENTS_V2]
    assert found
    assert all(not one.attachments and not one.content for one in found)
    outside = [one for one in found if one.clips and one.clips[0].endswith("-e0")]
    assert outside
    assert all(one.media[0].attachment is None for one in outside)


def test_the_first_message_has_nothing_to_reply_to_or_to_forward() -> None:
    """Where there is no earlier message, the text or the video itself is there instead."""
    history = make_history(3)
    past = history.author
    assert past is not None
    assert set(past._reply(0, 99, 5)) == {"content"}  # type: ignore[attr-defined]
    assert set(past._forwarded(0, 99, 5, form="text")) == {"content"}  # type: ignore[attr-defined]
    assert set(past._forwarded(0, 99, 5, form="video")) == {"attachments"}  # type: ignore[attr-defined]


def test_a_forwarded_medium_counts_in_its_place() -> None:
    """A forward's clips are named after the forward."""
    inner = next(one for one in MESSAGES if one.clips and one.clips[0].endswith("-e0"))
    outer = Message(id=5, channel_id=7, author_id=11, forwarded=inner)
    assert outer.clips == ("5-e0",)

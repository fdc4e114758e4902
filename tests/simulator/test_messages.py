"""What Discord takes as a message: lengths, embeds, mentions, components old and new."""

from typing import Any

import pytest

from clipsaver.simulator.interactions.bodies import Upload
from clipsaver.simulator.interactions.forms import Refused
from clipsaver.simulator.interactions.messages import Existing, read_edit, read_message
from tests.simulator.test_commands import codes
from tests.simulator.test_interactions import BUTTON, row, text

V2 = 1 << 15
FILES = {0: Upload(filename="a.mp4", content_type="video/mp4", content=b"x")}
SELECT = {"type": 3, "custom_id": "pick", "options": [{"label": "A", "value": "a"}]}
THUMBNAIL = {"type": 11, "media": {"url": "https://example.com/a.png"}}


def refusal(body: Any, **more: Any) -> dict[str, list[str]]:
    """The error codes of a body that is refused."""
    with pytest.raises(Refused) as caught:
        read_message(body, more.pop("files", {}), **more)
    assert caught.value.code == 50035, caught.value
    return codes(caught.value.errors)


def v2(*components: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A message of new components."""
    return {"flags": V2, "components": list(components), **more}


def options(count: int) -> list[dict[str, Any]]:
    """So many options of a select menu."""
    return [{"label": str(number), "value": str(number)} for number in range(count)]


LONG = "a" * 4001


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ([], {"": ["MODEL_TYPE_CONVERT"]}),
        ({"content": "a" * 2001}, {"content": ["BASE_TYPE_MAX_LENGTH"]}),
        ({"content": "a", "flags": "x"}, {"flags": ["NUMBER_TYPE_COERCE"]}),
        ({"content": "a", "tts": 1}, {"tts": ["BOOLEAN_TYPE_CONVERT"]}),
        ({"embeds": [{"title": "a"}] * 11}, {"embeds": ["BASE_TYPE_MAX_LENGTH"]}),
        ({"embeds": [{}]}, {"embeds.0.description": ["BASE_TYPE_REQUIRED"]}),
        ({"embeds": ["x"]}, {"embeds.0": ["MODEL_TYPE_CONVERT"]}),
        ({"embeds": [{"title": "a" * 257}]}, {"embeds.0.title": ["BASE_TYPE_MAX_LENGTH"]}),
        ({"embeds": [{"description": "a" * 4097}]}, {"embeds.0.description": ["BASE_TYPE_MAX_LENGTH"]}),
        (
            {"embeds": [{"fields": [{"name": "", "value": "a" * 1025}]}]},
            {"embeds.0.fields.0.name": ["BASE_TYPE_REQUIRED"], "embeds.0.fields.0.value": ["BASE_TYPE_BAD_LENGTH"]},
        ),
        ({"embeds": [{"footer": {"text": "a" * 2049}}]}, {"embeds.0.footer.text": ["BASE_TYPE_MAX_LENGTH"]}),
        ({"embeds": [{"title": "a", "color": 1 << 24}]}, {"embeds.0.color": ["NUMBER_TYPE_MAX"]}),
        ({"embeds": [{"description": "a" * 3001}] * 2}, {"embeds": ["MAX_EMBED_SIZE_EXCEEDED"]}),
        ({"content": "a", "allowed_mentions": {"parse": ["all"]}}, {"allowed_mentions.parse.0": ["BASE_TYPE_CHOICES"]}),
        (
            {"content": "a", "allowed_mentions": {"parse": ["users"], "users": ["1"]}},
            {"allowed_mentions": ["MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE"]},
        ),
        ({"content": "a", "attachments": [{"id": 3}]}, {"attachments.0.id": ["ATTACHMENT_NOT_FOUND"]}),
        ({"components": [row(BUTTON)] * 6}, {"components": ["BASE_TYPE_MAX_LENGTH"]}),
        ({"components": [text()]}, {"components.0.type": ["UNION_TYPE_CHOICES"]}),
        ({"components": [BUTTON]}, {"components.0.type": ["UNION_TYPE_CHOICES"]}),
        ({"components": ["x"]}, {"components.0": ["MODEL_TYPE_CONVERT"]}),
        ({"components": [row()]}, {"components.0.components": ["BASE_TYPE_BAD_LENGTH"]}),
        (
            {"components": [row(*(BUTTON | {"custom_id": str(n)} for n in range(6)))]},
            {"components.0.components": ["BASE_TYPE_BAD_LENGTH"]},
        ),
        ({"components": [row(SELECT, BUTTON)]}, {"components.0.components.1": ["COMPONENT_LAYOUT_WIDTH_EXCEEDED"]}),
        (
            {"components": [row(BUTTON, BUTTON)]},
            {"components.0.components.1.custom_id": ["COMPONENT_CUSTOM_ID_DUPLICATED"]},
        ),
        (
            {"components": [row(BUTTON | {"custom_id": "a" * 101})]},
            {"components.0.components.0.custom_id": ["BASE_TYPE_BAD_LENGTH"]},
        ),
        (
            {"components": [row({"type": 2, "style": 1, "label": "a"})]},
            {"components.0.components.0.custom_id": ["BUTTON_COMPONENT_CUSTOM_ID_REQUIRED"]},
        ),
        (
            {"components": [row({"type": 2, "style": 5, "label": "a", "custom_id": "a"})]},
            {
                "components.0.components.0.custom_id": ["BUTTON_COMPONENT_CUSTOM_ID_FORBIDDEN"],
                "components.0.components.0.url": ["BUTTON_COMPONENT_URL_REQUIRED"],
            },
        ),
        (
            {"components": [row({"type": 2, "style": 5, "label": "a", "url": "ftp://x"})]},
            {"components.0.components.0.url": ["URL_TYPE_INVALID_SCHEME"]},
        ),
        (
            {"components": [row({"type": 2, "style": 7, "custom_id": "a"})]},
            {
                "components.0.components.0.style": ["BASE_TYPE_CHOICES"],
                "components.0.components.0.label": ["BUTTON_COMPONENT_LABEL_REQUIRED"],
            },
        ),
        (
            {"components": [row(BUTTON | {"label": "a" * 81})]},
            {
                "components.0.components.0.label": ["BASE_TYPE_MAX_LENGTH", "BUTTON_COMPONENT_LABEL_REQUIRED"],
            },
        ),
        ({"components": [row(BUTTON | {"id": -1})]}, {"components.0.components.0.id": ["NUMBER_TYPE_MIN"]}),
        (
            {"components": [row(BUTTON | {"id": 7}, BUTTON | {"custom_id": "b", "id": 7})]},
            {"components.0.components.1.id": ["COMPONENT_ID_DUPLICATED"]},
        ),
        (
            {"components": [row(SELECT | {"options": []})]},
            {"components.0.components.0.options": ["BASE_TYPE_BAD_LENGTH"]},
        ),
        (
            {"components": [row(SELECT | {"options": options(26)})]},
            {"components.0.components.0.options": ["BASE_TYPE_BAD_LENGTH"]},
        ),
        (
            {"components": [row(SELECT | {"options": options(1) * 2})]},
            {"components.0.components.0.options.1.value": ["SELECT_COMPONENT_OPTION_VALUE_DUPLICATED"]},
        ),
        (
            {"components": [row(SELECT | {"min_values": 2, "placeholder": "a" * 151})]},
            {
                "components.0.components.0.min_values": ["SELECT_COMPONENT_MIN_VALUES_TOO_LARGE"],
                "components.0.components.0.placeholder": ["BASE_TYPE_MAX_LENGTH"],
            },
        ),
        (
            {"components": [row({"type": 8, "custom_id": "c", "channel_types": [99]})]},
            {"components.0.components.0.channel_types.0": ["BASE_TYPE_CHOICES"]},
        ),
        (
            {"components": [row({"type": 5, "custom_id": "c", "default_values": [{"id": "1", "type": "role"}]})]},
            {"components.0.components.0.default_values.0.type": ["BASE_TYPE_CHOICES"]},
        ),
        (
            v2(text(), content="a", embeds=[{"title": "a"}]),
            {
                "content": ["MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"],
                "embeds": ["MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2"],
            },
        ),
        (v2(*([text("a")] * 41)), {"components": ["BASE_TYPE_MAX_LENGTH"]}),
        (
            v2({"type": 17, "components": [text("a")] * 20}, {"type": 17, "components": [text("a")] * 19}),
            {"components": ["COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED"]},
        ),
        (v2(text(LONG)), {"components.0.content": ["BASE_TYPE_BAD_LENGTH"]}),
        (v2(text("")), {"components.0.content": ["BASE_TYPE_REQUIRED"]}),
        (v2(text("a" * 2001), text("b" * 2000)), {"components": ["COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED"]}),
        (v2({"type": 9, "components": [text()]}), {"components.0.accessory": ["BASE_TYPE_REQUIRED"]}),
        (
            v2({"type": 9, "components": [text()] * 4, "accessory": SELECT}),
            {
                "components.0.components": ["BASE_TYPE_BAD_LENGTH"],
                "components.0.accessory.type": ["UNION_TYPE_CHOICES"],
            },
        ),
        (v2({"type": 12, "items": []}), {"components.0.items": ["BASE_TYPE_BAD_LENGTH"]}),
        (v2({"type": 12, "items": [THUMBNAIL] * 11}), {"components.0.items": ["BASE_TYPE_BAD_LENGTH"]}),
        (
            v2({"type": 12, "items": [{"media": {"url": "attachment://no.mp4"}}]}),
            {"components.0.items.0.media.url": ["UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND"]},
        ),
        (
            v2({"type": 13, "file": {"url": "https://example.com/a.mp4"}}),
            {"components.0.file.url": ["URL_TYPE_INVALID_SCHEME"]},
        ),
        (v2({"type": 13, "file": {}}), {"components.0.file.url": ["BASE_TYPE_REQUIRED"]}),
        (v2({"type": 14, "spacing": 3, "divider": "x"}), {
            "components.0.divider": ["BOOLEAN_TYPE_CONVERT"], "components.0.spacing": ["BASE_TYPE_CHOICES"]
        }),
        (
            v2({"type": 17, "accent_color": -1, "components": [{"type": 17, "components": [text()]}]}),
            {
                "components.0.accent_color": ["NUMBER_TYPE_MIN"],
                "components.0.components.0.type": ["UNION_TYPE_CHOICES"],
            },
        ),
    ],
)  # fmt: skip
def test_a_bad_message_is_refused_with_its_errors(body: Any, errors: dict[str, list[str]]) -> None:
    """Every fault at its path."""
    assert refusal(body) == errors


def test_everything_v2_can_hold() -> None:
    """One of each, ids filled in where they were left out and kept where given."""
    draft = read_message(
        v2(
            text() | {"id": 2},
            {"type": 9, "components": [text()], "accessory": THUMBNAIL},
            {"type": 12, "items": [{"media": {"url": "attachment://a.mp4"}, "description": "clip", "spoiler": True}]},
            {"type": 13, "file": {"url": "attachment://a.mp4"}},
            {"type": 14},
            {"type": 17, "accent_color": 5, "components": [row(BUTTON, {"type": 2, "style": 6, "sku_id": "5"})]},
            row(
                {"type": 8, "custom_id": "c", "channel_types": [0], "default_values": [{"id": "1", "type": "channel"}]}
            ),
            row(SELECT | {"disabled": True, "placeholder": "Pick", "min_values": 0, "max_values": 5}),
            row(BUTTON | {"custom_id": "e", "label": None, "emoji": {"name": "x"}, "disabled": True}),
            row({"type": 2, "style": 5, "label": "Web", "url": "https://example.com"}),
        ),
        FILES,
    )
    assert draft.flags == V2
    assert draft.components is not None
    assert [one["id"] for one in draft.components[:3]] == [2, 1, 5]
    assert draft.components[4] == {"type": 14, "id": 7, "divider": True, "spacing": 1}
    assert draft.attachments == [{"id": "0"}]


def test_select_options_keep_their_fields() -> None:
    """Description, emoji and default."""
    option = {"label": "A", "value": "a", "description": "first", "emoji": {"name": "x"}, "default": True}
    draft = read_message({"components": [row(SELECT | {"options": [option]})]}, {})
    assert draft.components is not None
    assert draft.components[0]["components"][0]["options"] == [option]


def test_only_some_flags_can_be_set() -> None:
    """Others are dropped."""
    assert read_message({"content": "a", "flags": 0b111111}, {}).flags == 4


def test_an_edit_leaves_out_what_it_does_not_say() -> None:
    """None means untouched; SUPPRESS_EMBEDS can be taken back, the v2 flag can't."""
    draft = read_edit({"content": "b"}, {}, Existing(content="a", flags=64))
    assert (draft.content, draft.embeds, draft.components, draft.attachments, draft.flags) == (
        "b",
        None,
        None,
        None,
        64,
    )
    assert read_edit({"flags": 0}, {}, Existing(content="a", flags=4 | 64)).flags == 64
    assert read_edit({"flags": 0}, {}, Existing(components=1, flags=V2)).flags == V2


def test_turning_to_components_v2_takes_the_old_content_away() -> None:
    """Content and embeds must be null then."""
    was = Existing(content="a", embeds=1)
    with pytest.raises(Refused) as caught:
        read_edit(v2(text()), {}, was)
    assert set(codes(caught.value.errors)) == {"content", "embeds"}
    draft = read_edit(v2(text(), content=None, embeds=None), {}, was)
    assert (draft.content, draft.flags) == ("", V2)


def test_a_kept_attachment_can_be_shown_by_a_component() -> None:
    """Names of attachments that stay are known; those taken away are not."""
    was = Existing(components=1, attachments={5: "old.mp4"}, flags=V2)
    gallery = {"type": 12, "items": [{"media": {"url": "attachment://old.mp4"}}]}
    assert read_edit({"components": [gallery]}, {}, was).components
    with pytest.raises(Refused):
        read_edit({"components": [gallery], "attachments": []}, {}, was)

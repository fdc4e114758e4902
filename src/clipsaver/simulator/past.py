"""The author of a generated past: what the n-th message of a channel says, from the seed alone."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import frozen

from clipsaver.simulator import files
from clipsaver.simulator.entities import (
    HAS_SNAPSHOT,
    IS_COMPONENTS_V2,
    Attachment,
    Media,
    Message,
    created_at,
    snowflake_ms,
)
from clipsaver.simulator.history import Slots, mix
from clipsaver.simulator.texts import LINKS, sentence

CLIP_FORMS: Final = (
    *["video"] * 18, "videos", "videos", "mixed", "mixed", "game", "game", "reply_video", "bot_video", "hook_video",
    "forward", "forward", "gallery", "gallery", "file", "thumbnail", "outside",
)  # fmt: skip
PLAIN_FORMS: Final = (
    *["text"] * 92, *["reply"] * 10, *["picture"] * 10, *["link"] * 4, "files", "system", "system", "sticker", "poll",
    "bot_text", "bot_text", "bot_embed", "hook_text", "forward_text", "cards", "mention", "too_large",
)  # fmt: skip
SYSTEM_TYPES: Final = (7, 8, 6, 18, 9, 12)


@frozen(kw_only=True)
class Past:
    """Writes the messages of one channel."""

    channel_id: int
    guild_id: int | None
    slots: Slots
    people: tuple[int, ...]
    bots: tuple[int, ...]
    webhook_id: int
    videos_percent: float

    def form(self, index: int) -> tuple[str, int]:
        """What kind of message the n-th is, and the chance that decides the rest of it."""
        chance = mix(self.slots.seed ^ (index * 2 + 1))
        share = (chance & 0xFFFF) / 655.36
        forms = CLIP_FORMS if share < self.videos_percent else PLAIN_FORMS
        return forms[(chance >> 16) % len(forms)], mix(chance)

    def has_clips(self, index: int) -> bool:
        """Whether the n-th message may hold clips."""
        return self.form(index)[0] in _CLIP_FORMS

    def message(self, index: int, message_id: int) -> Message:
        """The n-th message."""
        form, chance = self.form(index)
        if form == "text":
            return Message(
                id=message_id,
                channel_id=self.channel_id,
                author_id=self._person(chance),
                content=sentence(chance >> 8, index),
                edited_at=self._edited(message_id, chance),
                pinned=(chance >> 40) & 1023 == 0,
            )
        make = getattr(self, f"_{form}", None)
        values: dict[str, Any] = {
            "id": message_id,
            "channel_id": self.channel_id,
            "author_id": self._person(chance),
            "content": sentence(chance >> 8, index) if chance >> 60 else "",
        }
        if make is not None:
            values |= make(index, message_id, chance)
        return Message(**values)

    def _person(self, chance: int) -> int:
        return self.people[(chance >> 28) % len(self.people)]

    def _edited(self, message_id: int, chance: int) -> datetime | None:
        if (chance >> 50) & 31:
            return None
        return created_at(message_id) + timedelta(milliseconds=1500 + (chance >> 44) % 900_000)

    # Forms with clips.

    def _video(self, _index: int, message_id: int, chance: int) -> dict[str, Any]:
        return {"attachments": (files.video(self.channel_id, message_id, 0, mix(chance)),)}

    def _videos(self, _index: int, message_id: int, chance: int) -> dict[str, Any]:
        count = 2 + chance % 4
        return {
            "attachments": tuple(
                files.video(self.channel_id, message_id, place, mix(chance + place)) for place in range(count)
            )
        }

    def _mixed(self, _index: int, message_id: int, chance: int) -> dict[str, Any]:
        return {
            "attachments": (
                files.other(self.channel_id, message_id, 0, mix(chance)),
                files.video(self.channel_id, message_id, 1, mix(chance + 1)),
                files.other(self.channel_id, message_id, 2, mix(chance + 2)),
            )
        }

    def _game(self, _index: int, message_id: int, chance: int) -> dict[str, Any]:
        return {"attachments": (files.game_clip(self.channel_id, message_id, chance, self.people),)}

    def _reply_video(self, index: int, message_id: int, chance: int) -> dict[str, Any]:
        return self._reply(index, message_id, chance) | self._video(index, message_id, chance)

    def _bot_video(self, index: int, message_id: int, chance: int) -> dict[str, Any]:
        return self._bot_text(index, message_id, chance) | self._video(index, message_id, chance)

    def _hook_video(self, index: int, message_id: int, chance: int) -> dict[str, Any]:
        return self._hook_text(index, message_id, chance) | self._video(index, message_id, chance)

    def _forward(self, index: int, message_id: int, chance: int) -> dict[str, Any]:
        return self._forwarded(index, message_id, chance, form="video")

    def _gallery(self, _index: int, message_id: int, chance: int) -> dict[str, Any]:
        shown = (
            self._media(files.other(self.channel_id, message_id, 0, 0)),
            self._media(files.video(self.channel_id, message_id, 1, mix(chance) | files.SMALL)),
        )
        items = [{"media": one, "description": None, "spoiler": False} for one in shown]
        return self._with_components(({"type": 12, "id": 1, "items": items},), shown, chance)

    def _file(self, _index: int, message_id: int, chance: int) -> dict[str, Any]:
        one = files.video(self.channel_id, message_id, 0, mix(chance))
        shown = self._media(one)
        part = {"type": 13, "id": 1, "file": shown, "name": one.filename, "size": one.size, "spoiler": bool(one.flags)}
        box = {"type": 17, "id": 2, "accent_color": None, "components": [part], "spoiler": False}
        return self._with_components((box,), (shown,), chance)

    def _thumbnail(self, index: int, message_id: int, chance: int) -> dict[str, Any]:
        # Discord tells no size here, so whoever reads it can't leave it out for being too large.
        shown = self._media(files.video(self.channel_id, message_id, 0, mix(chance) | files.SMALL))
        section = {
            "type": 9,
            "id": 1,
            "components": [{"type": 10, "id": 2, "content": sentence(chance >> 8, index)}],
            "accessory": {"type": 11, "id": 3, "media": shown, "description": None, "spoiler": False},
        }
        return self._with_components((section,), (shown,), chance)

    def _outside(self, index: int, message_id: int, chance: int) -> dict[str, Any]:
        shown = Media(
            id=files.attachment_id(message_id, 0),
            url=f"https://media.example.com/{self.channel_id}/{index}.mp4",
            content_type="video/mp4",
            is_clip=True,
        )
        items = [{"media": shown, "description": "from elsewhere", "spoiler": False}]
        return self._with_components(({"type": 12, "id": 1, "items": items},), (shown,), chance)

    def _media(self, one: Attachment) -> Media:
        return Media(id=one.id + 1, attachment=one)

    def _with_components(self, parts: tuple[Any, ...], shown: tuple[Media, ...], chance: int) -> dict[str, Any]:
        return {
            "author_id": self.bots[chance % len(self.bots)],
            "application_id": self.bots[chance % len(self.bots)],
            "content": "",
            "flags": IS_COMPONENTS_V2,
            "components": parts,
            "media": shown,
        }

    # Forms without.

    def _too_large(self, _index: int, message_id: int, chance: int) -> dict[str, Any]:
        return {"attachments": (files.video(self.channel_id, message_id, 0, mix(chance) & ~files.SIZE_BITS),)}

    def _picture(self, _index: int, message_id: int, chance: int) -> dict[str, Any]:
        return {"attachments": (files.other(self.channel_id, message_id, 0, mix(chance)),)}

    def _files(self, _index: int, message_id: int, chance: int) -> dict[str, Any]:
        return {
            "attachments": tuple(
                files.other(self.channel_id, message_id, place, mix(chance + place)) for place in range(3)
            )
        }

    def _link(self, index: int, _message_id: int, chance: int) -> dict[str, Any]:
        url = f"{LINKS[chance & 3]}{chance >> 40:06x}"
        image = {
            "url": f"https://i.ytimg.com/vi/{index}/0.jpg",
            "proxy_url": f"https://images-ext-1.discordapp.net/{index}",
        }
        embed: dict[str, Any] = {"type": "article", "url": url, "title": sentence(chance >> 12, index)}
        if "youtu" in url:
            embed |= {
                "type": "video",
                "provider": {"name": "YouTube", "url": "https://www.youtube.com"},
                "author": {"name": "A channel", "url": "https://www.youtube.com/@a-channel"},
                "video": {"url": f"https://www.youtube.com/embed/{chance >> 40:06x}", "width": 1280, "height": 720},
                "color": 16711680,
            }
        return {"content": url, "embeds": (embed | {"thumbnail": image | {"width": 480, "height": 360}},)}

    def _reply(self, index: int, _message_id: int, chance: int) -> dict[str, Any]:
        if index == 0:
            return {"content": sentence(chance, index)}
        target = max(0, index - 1 - chance % 40)
        reference = self._reference(0, self.slots.id_of(target))
        return {"type": 19, "reference": reference, "content": sentence(chance, index)}

    def _system(self, _index: int, _message_id: int, chance: int) -> dict[str, Any]:
        return {"type": SYSTEM_TYPES[chance % len(SYSTEM_TYPES)], "content": ""}

    def _sticker(self, _index: int, _message_id: int, chance: int) -> dict[str, Any]:
        sticker = {"id": str(749_054_660_769_218_631 + chance % 9), "name": "Wave", "format_type": 3}
        return {"content": "", "sticker_items": (sticker,)}

    def _poll(self, index: int, message_id: int, chance: int) -> dict[str, Any]:
        ends = datetime.fromtimestamp(snowflake_ms(message_id) / 1000 + 86_400, UTC)
        answers = [{"answer_id": n, "poll_media": {"text": sentence(chance >> n, n)[:55]}} for n in (1, 2, 3)]
        poll = {
            "question": {"text": sentence(chance, index)},
            "answers": answers,
            "expiry": ends.isoformat(),
            "allow_multiselect": bool(chance & 1),
            "layout_type": 1,
            "results": {
                "is_finalized": True,
                "answer_counts": [{"id": n, "count": chance >> n & 7, "me_voted": False} for n in (1, 2, 3)],
            },
        }
        return {"content": "", "poll": poll}

    def _bot_text(self, index: int, _message_id: int, chance: int) -> dict[str, Any]:
        bot = self.bots[chance % len(self.bots)]
        return {"author_id": bot, "application_id": bot, "content": sentence(chance, index)}

    def _bot_embed(self, index: int, message_id: int, chance: int) -> dict[str, Any]:
        embed = {
            "type": "rich",
            "title": sentence(chance >> 4, index),
            "description": "Scores of the week",
            "color": chance & 0xFFFFFF,
            "fields": [{"name": f"Place {n}", "value": sentence(chance >> n, n), "inline": True} for n in (1, 2, 3)],
            "footer": {"text": "every Sunday"},
        }
        return self._bot_text(index, message_id, chance) | {"embeds": (embed,), "content": ""}

    def _hook_text(self, index: int, _message_id: int, chance: int) -> dict[str, Any]:
        return {"author_id": self.webhook_id, "webhook_name": "Relay", "content": sentence(chance, index)}

    def _forward_text(self, index: int, message_id: int, chance: int) -> dict[str, Any]:
        return self._forwarded(index, message_id, chance, form="text")

    def _cards(self, index: int, _message_id: int, chance: int) -> dict[str, Any]:
        button = {"type": 2, "id": 3, "style": 1, "label": "Again", "custom_id": f"again:{index}"}
        parts = (
            {"type": 10, "id": 1, "content": sentence(chance >> 3, index)},
            {"type": 14, "id": 4, "spacing": 1, "divider": True},
            {"type": 1, "id": 2, "components": [button]},
        )
        return self._with_components(parts, (), chance)

    def _mention(self, index: int, _message_id: int, chance: int) -> dict[str, Any]:
        whom = self.people[chance % len(self.people)]
        return {"content": f"<@{whom}> {sentence(chance, index)}", "mentions": (whom,)}

    def _forwarded(self, index: int, message_id: int, chance: int, *, form: str) -> dict[str, Any]:
        """A forward of one of the last messages of that form; without one, the form itself."""
        for target in range(index - 1 - chance % 20, max(index - 90, -1), -1):
            if self.form(target)[0] == form:
                kept = self.message(target, self.slots.id_of(target))
                reference = self._reference(1, kept.id)
                return {"content": "", "flags": HAS_SNAPSHOT, "reference": reference, "forwarded": kept}
        if form == "video":
            return self._video(index, message_id, chance)
        return {"content": sentence(chance >> 9, index)}

    def _reference(self, kind: int, message_id: int) -> dict[str, Any]:
        reference = {"type": kind, "channel_id": str(self.channel_id), "message_id": str(message_id)}
        return reference if self.guild_id is None else reference | {"guild_id": str(self.guild_id)}


_CLIP_FORMS: Final = frozenset(CLIP_FORMS)

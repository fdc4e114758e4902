"""Buttons that outlive a restart: what each does stands in its custom id, and who presses is looked at again."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import hikari
import lightbulb
import structlog
from attrs import frozen

from clipsaver.channels.service import Channels
from clipsaver.channels.viewers.service import Viewers
from clipsaver.clips.picturing.service import Pictures
from clipsaver.clips.saving.service import Saving
from clipsaver.discord.components import Reply
from clipsaver.discord.here import Here
from clipsaver.discord.interactions import InteractionLost, Talk, here_of
from clipsaver.errors import NotAllowed
from clipsaver.scans.service import Scans
from clipsaver.words import access as rules
from clipsaver.words import channels as channel_words
from clipsaver.words import failures as failure_words
from clipsaver.words import reading as reading_words
from clipsaver.words import saving as saving_words
from clipsaver.words import scans as scan_words
from clipsaver.words.components import Pressed, number_of, parse_custom_id, run_id_of

log = structlog.get_logger("clipsaver.extensions.buttons")
loader = lightbulb.Loader()


@frozen(kw_only=True)
class Desk:
    """What the buttons' work is done with."""

    scans: Scans
    channels: Channels
    viewers: Viewers
    saving: Saving
    pictures: Pictures


Work = Callable[[Desk, Here, Pressed], Awaitable[Reply]]


@loader.listener(hikari.ComponentInteractionCreateEvent)
async def pressed(
    event: hikari.ComponentInteractionCreateEvent,
    *,
    scans: Scans,
    channels: Channels,
    viewers: Viewers,
    saving: Saving,
    pictures: Pictures,
) -> None:
    """Answer whoever pressed a button."""
    desk = Desk(scans=scans, channels=channels, viewers=viewers, saving=saving, pictures=pictures)
    await handle(event.interaction, desk)


async def handle(interaction: hikari.ComponentInteraction, desk: Desk) -> None:
    """Do what a button says, and answer; a button that says nothing any more gets an answer too."""
    talk = Talk(interaction)
    asked = parse_custom_id(interaction.custom_id)
    name = "unknown" if asked is None else f"{asked.area}:{asked.action}"
    try:
        if asked is None or name not in WORK:
            await talk.answer(failure_words.old_button())
            return
        await (talk.defer_update() if name in CHANGES_MESSAGE else talk.defer())
        here = here_of(interaction)
        rules.require_moderator(here)
        await talk.answer(await WORK[name](desk, here, asked))
    except InteractionLost:
        log.info("interaction.lost", button=name)
    except Exception as error:  # noqa: BLE001 - whoever pressed is told, whatever it was
        await _tell(talk, error, name)


async def _tell(talk: Talk, error: Exception, name: str) -> None:
    sentence = failure_words.expected(error)
    if sentence is None:
        reference = failure_words.reference()
        log.error("button.failed", reference=reference, button=name, exc_info=error)
        reply = failure_words.went_wrong(reference)
    else:
        log.info("button.refused", button=name, reason=type(error).__name__)
        reply = failure_words.failed(sentence)
    try:
        await talk.answer(reply)
    except InteractionLost:
        log.info("interaction.lost", button=name)
    except (hikari.HikariError, OSError):
        log.warning("interaction.unanswered", button=name, exc_info=True)


async def _cancel_scan(desk: Desk, here: Here, asked: Pressed) -> Reply:
    """End the run a progress message is about, if its channel is one the person can read."""
    run_id = run_id_of(asked)
    if run_id is None:
        return failure_words.old_button()
    run = await desk.scans.run(here.guild_id, run_id)
    known = await desk.channels.get(here.guild_id, run.channel_id)
    rules.require_reader(await desk.viewers.place(here, known))
    return scan_words.canceled(await desk.scans.cancel_run(here.guild_id, run_id, by=here.user_id))


async def _retry_clips(desk: Desk, here: Here, asked: Pressed) -> Reply:
    """Have a channel's clips tried again, and show how it stands now."""
    known = await desk.channels.get(here.guild_id, number_of(asked) or 0)
    rules.require_reader(await desk.viewers.place(here, known))
    tried = await desk.saving.retry(here.guild_id, by=here.user_id, channels=[known.channel_id])
    looked_at = await desk.pictures.retry(guild_id=here.guild_id, by=here.user_id, channels=[known.channel_id])
    status = await desk.scans.status(here.guild_id, known.channel_id)
    standing = await desk.saving.standing(here.guild_id, known.channel_id)
    unmade = await desk.pictures.of_channel(known.channel_id)
    reply = scan_words.status(status, now=datetime.now(UTC), saving=standing, unmade=unmade)
    return saving_words.after_retry(reply, tried, channel_id=known.channel_id, pictures=looked_at)


async def _read_none(desk: Desk, here: Here, asked: Pressed) -> Reply:
    """Stop reading every channel that the person sees; only whoever was asked may say so."""
    _require_asked(here, asked)
    seen = await desk.viewers.visible(here, await desk.channels.list(here.guild_id))
    only = {known.channel_id for known in seen}
    return reading_words.all_off(
        await desk.channels.set_reading_all(here.guild_id, on=False, by=here.user_id, only=only)
    )


async def _read_keep(_: Desk, here: Here, asked: Pressed) -> Reply:
    """Leave everything as it is."""
    _require_asked(here, asked)
    return reading_words.left_alone()


async def _page_scans(desk: Desk, here: Here, asked: Pressed) -> Reply:
    """Turn a page of ``/scan list``."""
    statuses = await desk.scans.list(here.guild_id)
    seen = {known.channel_id for known in await desk.viewers.visible(here, [status.channel for status in statuses])}
    shown = [status for status in statuses if status.channel.channel_id in seen]
    return scan_words.listed(shown, now=datetime.now(UTC), page=number_of(asked) or 0)


async def _page_channels(desk: Desk, here: Here, asked: Pressed) -> Reply:
    """Turn a page of ``/channel list``."""
    known = await desk.channels.list(here.guild_id)
    return channel_words.listed(await desk.viewers.visible(here, known), page=number_of(asked) or 0)


async def _page_reading(desk: Desk, here: Here, asked: Pressed) -> Reply:
    """Turn a page of ``/read list``."""
    known = await desk.channels.list(here.guild_id)
    return reading_words.listed(await desk.viewers.visible(here, known), page=number_of(asked) or 0)


def _require_asked(here: Here, asked: Pressed) -> None:
    if number_of(asked) != here.user_id:
        raise NotAllowed(failure_words.not_your_button())


WORK: Final[Mapping[str, Work]] = {
    "scan:cancel": _cancel_scan,
    "clips:retry": _retry_clips,
    "read:none": _read_none,
    "read:keep": _read_keep,
    "page:scans": _page_scans,
    "page:channels": _page_channels,
    "page:reading": _page_reading,
}
CHANGES_MESSAGE: Final = frozenset(WORK) - {"scan:cancel"}
"""Buttons under a private answer, which takes on what they lead to; a run's message stays its own."""

"""``/scan``: find the clips in a channel, watch, cancel, and try again what could not be saved."""

from datetime import UTC, datetime
from typing import Any

import lightbulb

from clipsaver.channels.service import Channels
from clipsaver.channels.viewers.service import Viewers
from clipsaver.clips.picturing.service import Pictures
from clipsaver.clips.saving.model import ClipState, Why
from clipsaver.clips.saving.service import TRIED_AGAIN, Saving
from clipsaver.discord.access import Access
from clipsaver.discord.here import Here, Place
from clipsaver.discord.interactions import arrive, bot_permissions, channel_option, moderators_group
from clipsaver.discord.rest import Priority
from clipsaver.errors import BadInput, NotAllowed, NotThere
from clipsaver.scans.model import Direction, Rescan, ScanRequest
from clipsaver.scans.service import Scans
from clipsaver.words import access as rules
from clipsaver.words import dates
from clipsaver.words import failures as failure_words
from clipsaver.words import saving as saving_words
from clipsaver.words import scans as words

MOST_MESSAGES = 1_000_000_000
DATE_LENGTH = 40

loader = lightbulb.Loader()
scan = moderators_group("scan", "Find the clips in a channel")
loader.command(scan)


@scan.register
class Start(lightbulb.SlashCommand, name="start", description="Find the clips in a channel"):
    """Begin a scan."""

    channel = channel_option("Where to look; here if left out")
    direction = lightbulb.string(
        "direction",
        "backward: newest messages first; forward: oldest first; as set up if left out",
        default=None,
        choices=[lightbulb.Choice(one.value, one.value) for one in Direction],
    )
    limit = lightbulb.integer(
        "limit", "Read at most this many messages", default=None, min_value=1, max_value=MOST_MESSAGES
    )
    since = lightbulb.string(
        "since",
        "Only messages from this day (UTC) or age on: 2026-01-31, 30d, 12h",
        default=None,
        max_length=DATE_LENGTH,
    )
    until = lightbulb.string(
        "until",
        "Only messages from before this day (UTC) or age: 2026-01-31, 30d",
        default=None,
        max_length=DATE_LENGTH,
    )
    rescan = lightbulb.string(
        "rescan",
        "Messages read before: stop there, continue past them (if left out), or update them",
        default=Rescan.CONTINUE.value,
        choices=[lightbulb.Choice(one.value, one.value) for one in Rescan],
    )

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, scans: Scans, channels: Channels, access: Access) -> None:
        """Queue the scan, or show the one that is there."""
        talk, here, place = await arrive(ctx, self.channel)
        rules.require_moderator_of(here, place)
        now = datetime.now(UTC)
        since, until = dates.span(self.since, self.until, now=now)
        rules.require_bot_reader(await bot_permissions(access, here, place), place)
        await _require_suitable(channels, access, here, place)
        writes = rules.bot_may_write(here)
        outcome = await scans.start(
            ScanRequest(
                guild_id=here.guild_id,
                channel_id=place.channel_id,
                requested_by=here.user_id,
                direction=None if self.direction is None else Direction(self.direction),
                limit=self.limit,
                since=since,
                until=until,
                rescan=Rescan(self.rescan),
                progress_channel_id=here.place.channel_id if writes else None,
            )
        )
        if outcome.already:
            reply = words.already(await scans.status(here.guild_id, place.channel_id), now=now)
        else:
            reply = words.started(outcome, shows_progress=writes, since=since, until=until)
        await talk.answer(reply)


async def _require_suitable(channels: Channels, access: Access, here: Here, place: Place) -> None:
    """Refuse an age-restricted channel unless the settings allow it; a thread is as its channel is."""
    try:
        known = await channels.get(here.guild_id, place.channel_id)
    except NotThere:
        # Discord knows it and the database doesn't: an archived thread, or a channel made a moment ago.
        found = await access.of_bot(place.channel_id, priority=Priority.PEOPLE)
        await channels.changed([known for known in (found.parent, found.channel) if known is not None])
        known = await channels.get(here.guild_id, place.channel_id)
    restricted = known.is_nsfw
    if known.is_thread and known.parent_id is not None:
        restricted = (await channels.get(here.guild_id, known.parent_id)).is_nsfw
    if restricted and not (await channels.rules_for(known.channel_id)).scan_nsfw:
        raise NotAllowed(words.age_restricted(known.channel_id))


@scan.register
class Status(
    lightbulb.SlashCommand, name="status", description="How far a channel is: what has been read, and what is saved"
):
    """Look at one channel."""

    channel = channel_option("Which channel; this one if left out")

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, scans: Scans, saving: Saving, pictures: Pictures) -> None:
        """Show the active scan, or the latest, the coverage, and what is saved."""
        talk, here, place = await arrive(ctx, self.channel)
        rules.require_moderator_of(here, place)
        status = await scans.status(here.guild_id, place.channel_id)
        standing = await saving.standing(here.guild_id, place.channel_id)
        unmade = await pictures.of_channel(place.channel_id)
        await talk.answer(words.status(status, now=datetime.now(UTC), saving=standing, unmade=unmade))


@scan.register
class Cancel(lightbulb.SlashCommand, name="cancel", description="End a channel's scan; what was read stays read"):
    """End one channel's scan."""

    channel = channel_option("Which channel; this one if left out")

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, scans: Scans) -> None:
        """Cancel the active scan."""
        talk, here, place = await arrive(ctx, self.channel)
        rules.require_moderator_of(here, place)
        run = await scans.cancel(here.guild_id, place.channel_id, by=here.user_id)
        await talk.answer(words.canceled(run))


@scan.register
class Retry(lightbulb.SlashCommand, name="retry", description="Try again to save clips that could not be saved"):
    """Have clips tried again that were given up."""

    channel = channel_option("Which channel; this one if left out")
    everywhere = lightbulb.boolean("everywhere", "In every channel that you can see", default=False)
    reason = lightbulb.string(
        "reason",
        "Only what failed for this; everything that another try can help if left out",
        default=None,
        choices=[lightbulb.Choice(name, why.value) for name, why in saving_words.CHOICES.items()],
    )

    @lightbulb.invoke
    async def invoke(
        self, ctx: lightbulb.Context, saving: Saving, pictures: Pictures, channels: Channels, viewers: Viewers
    ) -> None:
        """Let them wait again, and tell how many."""
        talk, here, place = await arrive(ctx, self.channel)
        rules.require_moderator_of(here, place)
        if self.everywhere:
            seen = await viewers.visible(here, await channels.list(here.guild_id))
            chosen, named = [known.channel_id for known in seen], None
        else:
            named = (await channels.get(here.guild_id, place.channel_id)).channel_id
            chosen = [named]
        tried = await saving.retry(here.guild_id, by=here.user_id, channels=chosen, **_for(self.reason))
        looked_at = 0
        if self.reason is None:
            looked_at = await pictures.retry(guild_id=here.guild_id, by=here.user_id, channels=chosen)
        await talk.answer(saving_words.retried_reply(tried, channel_id=named, pictures=looked_at))


def _for(reason: str | None) -> dict[str, Any]:
    """What is tried again for a reason that a person chose."""
    if reason is None:
        return {}
    if reason not in set(saving_words.CHOICES.values()):
        raise BadInput(failure_words.not_an_option("reason"))
    return {"reasons": [Why(reason)], "states": [*TRIED_AGAIN, ClipState.GONE]}


@scan.register
class ListScans(lightbulb.SlashCommand, name="list", description="Show this server's scans and what has been read"):
    """List the scans."""

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, scans: Scans, viewers: Viewers) -> None:
        """Show those in channels the person can see."""
        talk, here, _ = await arrive(ctx)
        rules.require_moderator(here)
        statuses = await scans.list(here.guild_id)
        seen = {known.channel_id for known in await viewers.visible(here, [status.channel for status in statuses])}
        shown = [status for status in statuses if status.channel.channel_id in seen]
        await talk.answer(words.listed(shown, now=datetime.now(UTC)))

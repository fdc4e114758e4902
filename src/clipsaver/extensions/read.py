"""``/read``: which channels are read."""

import lightbulb

from clipsaver.channels.service import Channels
from clipsaver.channels.viewers.service import Viewers
from clipsaver.discord.access import Access
from clipsaver.discord.interactions import READ_CHANNELS, arrive, bot_permissions, channel_option, moderators_group
from clipsaver.discord.rest import Priority
from clipsaver.errors import NotThere
from clipsaver.words import access as rules
from clipsaver.words import reading as words

loader = lightbulb.Loader()
read = moderators_group("read", "Choose the channels that are read")
loader.command(read)


@read.register
class On(lightbulb.SlashCommand, name="on", description="Read a channel"):
    """Begin to read one channel."""

    channel = channel_option("Which channel; this one if left out", READ_CHANNELS)

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, channels: Channels, access: Access) -> None:
        """Switch it on, if both the person and the bot may read it."""
        talk, here, place = await arrive(ctx, self.channel)
        rules.require_moderator_of(here, place)
        rules.require_bot_reader(await bot_permissions(access, here, place), place)
        try:
            known = await channels.set_reading(here.guild_id, place.channel_id, on=True, by=here.user_id)
        except NotThere:
            # Discord knows it and the database doesn't: an archived thread, or a channel made a moment ago.
            found = await access.of_bot(place.channel_id, priority=Priority.PEOPLE)
            await channels.changed([known for known in (found.parent, found.channel) if known is not None])
            known = await channels.set_reading(here.guild_id, place.channel_id, on=True, by=here.user_id)
        await talk.answer(words.switched(known))


@read.register
class Off(lightbulb.SlashCommand, name="off", description="Don't read a channel any more"):
    """Stop reading one channel."""

    channel = channel_option("Which channel; this one if left out", READ_CHANNELS)

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, channels: Channels) -> None:
        """Switch it off; that the bot may not read it is no hindrance."""
        talk, here, place = await arrive(ctx, self.channel)
        rules.require_moderator_of(here, place)
        known = await channels.set_reading(here.guild_id, place.channel_id, on=False, by=here.user_id)
        await talk.answer(words.switched(known))


@read.register
class ListRead(lightbulb.SlashCommand, name="list", description="Show the channels that are read"):
    """List what is read."""

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, channels: Channels, viewers: Viewers) -> None:
        """Show those the person can see."""
        talk, here, _ = await arrive(ctx)
        rules.require_moderator(here)
        known = await channels.list(here.guild_id)
        await talk.answer(words.listed(await viewers.visible(here, known)))


@read.register
class All(lightbulb.SlashCommand, name="all", description="Read every channel that you can see"):
    """Begin to read everywhere."""

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, channels: Channels, viewers: Viewers) -> None:
        """Switch on what the person can see."""
        talk, here, _ = await arrive(ctx)
        rules.require_moderator(here)
        seen = await viewers.visible(here, await channels.list(here.guild_id))
        only = {known.channel_id for known in seen}
        changed = await channels.set_reading_all(here.guild_id, on=True, by=here.user_id, only=only)
        await talk.answer(words.all_on(changed))


@read.register
class Nothing(lightbulb.SlashCommand, name="none", description="Stop reading every channel that you can see"):
    """Stop reading everywhere."""

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, channels: Channels, viewers: Viewers) -> None:
        """Ask first; the button does it, in the channels that whoever presses can see."""
        talk, here, _ = await arrive(ctx)
        rules.require_moderator(here)
        known = await channels.list(here.guild_id)
        await talk.answer(words.ask_none(await viewers.visible(here, known), user_id=here.user_id))

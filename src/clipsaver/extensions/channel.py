"""``/channel``: the channels of a server and what is known of them."""

import lightbulb

from clipsaver.channels.service import Channels
from clipsaver.channels.viewers.service import Viewers
from clipsaver.discord.interactions import READ_CHANNELS, arrive, channel_option, moderators_group
from clipsaver.scans.service import Scans
from clipsaver.words import access as rules
from clipsaver.words import channels as words

loader = lightbulb.Loader()
channel = moderators_group("channel", "See what is known of this server's channels")
loader.command(channel)


@channel.register
class ListChannels(lightbulb.SlashCommand, name="list", description="Show the channels that you can see"):
    """List the channels."""

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, channels: Channels, viewers: Viewers) -> None:
        """Show those that hold messages and that the person can see."""
        talk, here, _ = await arrive(ctx)
        rules.require_moderator(here)
        known = await channels.list(here.guild_id)
        await talk.answer(words.listed(await viewers.visible(here, known)))


@channel.register
class Show(lightbulb.SlashCommand, name="show", description="Show what is known of a channel"):
    """Look at one channel."""

    channel = channel_option("Which channel; this one if left out", READ_CHANNELS)

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, scans: Scans) -> None:
        """Show its facts and how much of it has been read."""
        talk, here, place = await arrive(ctx, self.channel)
        rules.require_moderator_of(here, place)
        await talk.answer(words.shown(await scans.status(here.guild_id, place.channel_id)))

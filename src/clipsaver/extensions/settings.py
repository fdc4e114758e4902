"""``/settings``: how a server, or one of its channels, is read."""

import lightbulb

from clipsaver.channels.service import Channels
from clipsaver.discord.here import Here, Place
from clipsaver.discord.interactions import READ_CHANNELS, arrive, channel_option, here_of, moderators_group, suggest
from clipsaver.guilds.service import Guilds
from clipsaver.guilds.settings import SETTINGS, suggest_keys, suggestions
from clipsaver.words import access as rules
from clipsaver.words import settings as words

LONGEST_VALUE = 4000

loader = lightbulb.Loader()
settings = moderators_group("settings", "See and change how this server is read")
loader.command(settings)


async def suggest_key(ctx: lightbulb.AutocompleteContext[str]) -> None:
    """Offer the settings that fit what is typed."""
    await suggest(ctx, words.key_choices(suggest_keys(str(ctx.focused.value))))


async def suggest_value(ctx: lightbulb.AutocompleteContext[str], guilds: Guilds = lightbulb.di.INJECTED) -> None:
    """Offer values for the setting that was chosen, what it is now among them."""
    option = ctx.get_option("key")
    key = "" if option is None else str(option.value).strip().lower()
    here = here_of(ctx.interaction)
    current = None
    if key in SETTINGS and rules.is_moderator(here):
        current = (await guilds.view(here.guild_id)).values[key].value
    values = suggestions(key, str(ctx.focused.value), current)
    await suggest(ctx, {value: value for value in values})


def _require(here: Here, place: Place, *, named: bool) -> int | None:
    """Return the channel that is meant, if one was named, after a look at whether the person may."""
    rules.require_moderator(here)
    if not named:
        return None
    rules.require_reader(place)
    return place.channel_id


@settings.register
class View(lightbulb.SlashCommand, name="view", description="Show every setting and whose word it is"):
    """Show the settings."""

    channel = channel_option("What holds in this channel; the server if left out", READ_CHANNELS)

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, guilds: Guilds, channels: Channels) -> None:
        """Look at the server, or at one channel."""
        talk, here, place = await arrive(ctx, self.channel)
        channel_id = _require(here, place, named=self.channel is not None)
        if channel_id is None:
            view = await guilds.view(here.guild_id)
        else:
            view = await channels.view(here.guild_id, channel_id)
        await talk.answer(words.viewed(view, channel_id=channel_id))


@settings.register
class Set(lightbulb.SlashCommand, name="set", description="Change a setting"):
    """Change one setting."""

    key = lightbulb.string("key", "Which setting", autocomplete=suggest_key, max_length=100)
    value = lightbulb.string("value", "What it becomes", autocomplete=suggest_value, max_length=LONGEST_VALUE)
    channel = channel_option("Only in this channel; the whole server if left out", READ_CHANNELS)

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, guilds: Guilds, channels: Channels) -> None:
        """Set it for the server, or for one channel."""
        talk, here, place = await arrive(ctx, self.channel)
        channel_id = _require(here, place, named=self.channel is not None)
        if channel_id is None:
            view = await guilds.set_setting(here.guild_id, self.key, self.value, by=here.user_id)
        else:
            view = await channels.set_setting(here.guild_id, channel_id, self.key, self.value, by=here.user_id)
        await talk.answer(words.changed(view, channel_id=channel_id))


@settings.register
class Reset(lightbulb.SlashCommand, name="reset", description="Let a setting, or all of them, fall back"):
    """Let settings fall back."""

    key = lightbulb.string(
        "key", "Which setting; all if left out", default=None, autocomplete=suggest_key, max_length=100
    )
    channel = channel_option("Only in this channel; the whole server if left out", READ_CHANNELS)

    @lightbulb.invoke
    async def invoke(self, ctx: lightbulb.Context, guilds: Guilds, channels: Channels) -> None:
        """Reset the server's word, or one channel's."""
        talk, here, place = await arrive(ctx, self.channel)
        channel_id = _require(here, place, named=self.channel is not None)
        if channel_id is None:
            keys = await guilds.reset_setting(here.guild_id, self.key, by=here.user_id)
        else:
            keys = await channels.reset_setting(here.guild_id, channel_id, self.key, by=here.user_id)
        await talk.answer(words.reset(keys, channel_id=channel_id))

"""`clipsaver check`: everything a start needs, looked at one by one, and said in plain words."""

import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final, TextIO, TypeVar

from clipsaver.app.check_storage import look_at_storage
from clipsaver.app.ground import database, who_we_are
from clipsaver.app.report import Report
from clipsaver.channels import store
from clipsaver.config import Config
from clipsaver.discord.access import Access
from clipsaver.discord.rest import Priority, Refused, Rest
from clipsaver.errors import BadInput, ClipsaverError, StartFailed
from clipsaver.guilds.settings import check as check_settings
from clipsaver.postgres.pool import Pool

T = TypeVar("T")

MOST_CHANNELS: Final = 200
"""Channels that are looked at, those that are read; more would take long."""


async def check(config: Config, out: TextIO | None = None) -> int:
    """Look at configuration, database, storage, token, intents and channels; 0 when nothing is missing."""
    report = Report(out or sys.stdout)
    async with AsyncExitStack() as stack:
        pool = await _try(report, lambda: stack.enter_async_context(database(config)))
        if pool is not None:
            version = await pool.fetchval("show server_version")
            report.good(f"database: PostgreSQL {version}{'' if config.database.url else ', embedded'}, schema in place")
        _look_at_settings(report, config)
        await look_at_storage(report, config)
        if not config.discord.token:
            report.bad("token: there is none; set BOT_TOKEN, or discord.token in config.toml")
            return 1
        rest = await stack.enter_async_context(Rest(token=config.discord.token, url=config.discord.rest_url))
        application = await _try(report, lambda: who_we_are(rest))
        if application is not None:
            report.good(f"token: Discord knows the bot as {application.name or application.bot_id}")
            if application.may_read_content is None:
                report.note("intents: Discord doesn't say whether the Message Content Intent is on")
            else:
                report.good("intents: Message Content is on")
            if pool is not None:
                await _look_at_channels(report, pool, Access(rest=rest, bot_id=application.bot_id))
    return 1 if report.failures else 0


async def _try(report: Report, what: Callable[[], Awaitable[T]]) -> T | None:
    try:
        return await what()
    except StartFailed as error:
        report.bad(str(error))
        return None


def _look_at_settings(report: Report, config: Config) -> None:
    try:
        check_settings(config.guild_defaults)
    except BadInput as error:
        report.bad(str(error))
    else:
        report.good("guild_defaults: every setting can be used")


async def _look_at_channels(report: Report, pool: Pool, access: Access) -> None:
    """Ask Discord about the channels that are to be read: what is missing there, in each."""
    async with pool.acquire() as conn:
        rows = await store.get_channels_that_are_read(conn, limit=MOST_CHANNELS)
    unreadable = 0
    for channel in rows:
        name = channel.name
        try:
            found = await access.of_bot(channel.channel_id, priority=Priority.PEOPLE)
        except Refused:
            unreadable += 1
            report.bad(f"permissions: the bot can't see #{name}")
        except ClipsaverError as error:
            report.bad(f"permissions: {error}")
            return
        else:
            if found.missing_to_read:
                unreadable += 1
                report.bad(f"permissions: in #{name} the bot needs {' and '.join(found.missing_to_read)}")
    if rows and not unreadable:
        report.good(f"permissions: the bot can read all {len(rows)} channels that are switched on")
    elif not rows:
        report.note("permissions: no channel is switched on yet; use /read on in Discord")

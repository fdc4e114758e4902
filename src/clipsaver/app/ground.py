"""What every role stands on: the database, the way to Discord, and who we are there."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import structlog
from attrs import frozen

from clipsaver.clips.service import Clips
from clipsaver.config import Config
from clipsaver.discord.access import Access
from clipsaver.discord.application import Application, describe
from clipsaver.discord.breaker import Breaker
from clipsaver.discord.budget import Budget
from clipsaver.discord.history import History
from clipsaver.discord.rest import Refused, Rest, Unauthorized
from clipsaver.errors import BadInput, ClipsaverError, StartFailed
from clipsaver.guilds.settings import check
from clipsaver.postgres.embedded import Embedded
from clipsaver.postgres.pool import Pool, open_pool
from clipsaver.postgres.schema import apply_schema

log = structlog.get_logger("clipsaver.app")

CLOSING = 3.0
"""Seconds that connections may take to close."""


@frozen(kw_only=True)
class Ground:
    """The parts that all roles share."""

    config: Config
    pool: Pool
    rest: Rest
    application: Application
    access: Access
    history: History
    clips: Clips
    defaults: Mapping[str, Any]
    """``guild_defaults``, checked."""


@asynccontextmanager
async def database(config: Config) -> AsyncIterator[Pool]:
    """Open the configured database, or the embedded one, with its schema."""
    async with AsyncExitStack() as stack:
        url = config.database.url
        if not url:
            embedded = await stack.enter_async_context(Embedded(config.data_dir))
            url = embedded.url
            log.info("database.embedded", owner=embedded.owner)
        pool = await open_pool(
            url, size=config.database.pool_size, statement_cache_size=config.database.statement_cache_size
        )
        stack.push_async_callback(_close, pool)
        await apply_schema(pool)
        yield pool


@asynccontextmanager
async def ground(config: Config) -> AsyncIterator[Ground]:
    """Open everything, or say in one StartFailed sentence why not; close it in reverse order."""
    if not config.discord.token:
        raise StartFailed("There is no bot token: set BOT_TOKEN, or discord.token in config.toml.")
    try:
        defaults = check(config.guild_defaults)
    except BadInput as error:
        raise StartFailed(str(error)) from None
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(database(config))
        budget = None
        if config.discord.requests_per_second:
            budget = Budget(pool=pool, requests_per_second=config.discord.requests_per_second)
            stack.push_async_callback(budget.close)
        rest = await stack.enter_async_context(
            Rest(
                token=config.discord.token,
                url=config.discord.rest_url,
                budget=budget,
                breaker=Breaker(pool=pool),
            )
        )
        application = await who_we_are(rest)
        yield Ground(
            config=config,
            pool=pool,
            rest=rest,
            application=application,
            access=Access(rest=rest, bot_id=application.bot_id),
            history=History(rest=rest),
            clips=Clips(pool=pool),
            defaults=defaults,
        )


async def who_we_are(rest: Rest) -> Application:
    """Ask Discord whose token this is; StartFailed when it is nobody's, or scans could not see any clip."""
    try:
        application = await describe(rest)
    except Unauthorized:
        raise StartFailed("Discord refused the bot token: copy it afresh from the developer portal.") from None
    except Refused as error:
        raise StartFailed(f"Discord would not say who the bot is: {error}") from None
    except ClipsaverError as error:
        raise StartFailed(f"Discord can't be reached at {rest.url}: {error}") from None
    if application.may_read_content is False:
        raise StartFailed(
            "The bot may not read messages: switch the Message Content Intent on for it in the developer portal, "
            "under Bot."
        )
    return application


async def _close(pool: Pool) -> None:
    try:
        await asyncio.wait_for(pool.close(), CLOSING)
    except TimeoutError:
        log.warning("database.closed_by_force")
        pool.terminate()

"""Scans, for the doors: start, look, cancel, list, and what to show of them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from attrs import evolve, frozen

from clipsaver.channels import store as channels_store
from clipsaver.channels.model import Channel
from clipsaver.clips.rules import Rules
from clipsaver.discord import snowflakes
from clipsaver.discord import store as discord_store
from clipsaver.errors import BadInput, NotThere
from clipsaver.guilds.settings import resolve
from clipsaver.postgres.pool import Connection, Pool, in_transaction
from clipsaver.postgres.ranges import IdRange
from clipsaver.scans import store
from clipsaver.scans.model import Direction, Run, ScanRequest, ScanStatus, Started, look

log = structlog.get_logger("clipsaver.scans")

SHOW_EVERY = timedelta(seconds=4)
MILLISECOND = timedelta(milliseconds=1)
"""How exactly a message's id tells when it was sent."""
MOST_MESSAGES = 10**9
"""The largest limit a person may give."""


@frozen(kw_only=True)
class Scans:
    """The scans of every server."""

    pool: Pool
    defaults: Mapping[str, Any]
    """``guild_defaults`` of the configuration."""
    wake: Callable[[], None] = lambda: None
    """Tells a worker in this process that there is something to claim."""
    token_refused: Callable[[], bool] = lambda: False
    """Whether Discord does not accept the bot's token any more."""

    async def start(self, request: ScanRequest) -> Started:
        """Queue a scan; the active one is shown instead when the channel has one.

        Raises BadInput for bounds that leave nothing, NotThere for a channel that is not known.
        """
        after, before = _bounds(request)
        async with self.pool.acquire() as conn:
            channel = await self._channel(conn, request.guild_id, request.channel_id)
            rules = await store.rules_of_channel(conn, channel.channel_id)
            if rules is None:
                raise NotThere("I don't know that channel.")
            settings = resolve(self.defaults, rules.guild_settings, rules.settings)
            run = await store.enqueue_scan_run(
                conn,
                channel.channel_id,
                direction=request.direction or Direction(settings.scan_mode),
                rescan=request.rescan,
                message_limit=request.limit,
                after_message_id=after,
                before_message_id=before,
                requested_by=request.requested_by,
                progress_channel_id=request.progress_channel_id,
            )
            if run is None:
                active = await store.active_run(conn, channel.channel_id)
                if active is None:
                    raise NotThere("That scan has just ended. Try again.")
                return Started(run=active, channel=channel, already=True)
        log.info(
            "scan.queued",
            run_id=str(run.id),
            guild_id=str(run.guild_id),
            channel_id=str(run.channel_id),
            direction=run.direction,
            rescan=run.rescan,
            limit=run.message_limit,
        )
        self.wake()
        return Started(run=run, channel=channel, already=False)

    async def status(self, guild_id: int, channel_id: int) -> ScanStatus:
        """Look at a channel's scan, active or latest, and at its coverage."""
        async with self.pool.acquire() as conn:
            channel = await self._channel(conn, guild_id, channel_id)
            run = await store.latest_run(conn, channel_id)
            return await self._look(conn, channel, run, rests_until=await _rests_until(conn))

    async def cancel(self, guild_id: int, channel_id: int, *, by: int) -> Run:
        """Cancel a channel's active scan; NotThere when there is none."""
        async with self.pool.acquire() as conn:
            channel = await self._channel(conn, guild_id, channel_id)
            run = await store.active_run(conn, channel_id)
            if run is None:
                raise NotThere(f"No scan is running in #{channel.name}.")
        return await self._cancel(run, by=by)

    async def cancel_run(self, guild_id: int, run_id: UUID, *, by: int) -> Run:
        """Cancel one run of a server; NotThere when it has ended, or never was."""
        return await self._cancel(await self.run(guild_id, run_id), by=by)

    async def run(self, guild_id: int, run_id: UUID) -> Run:
        """Find one run of a server; NotThere when it has none of that id."""
        async with self.pool.acquire() as conn:
            run = await store.run_of_guild(conn, run_id, guild_id)
        if run is None:
            raise NotThere("I don't know that scan any more.")
        return run

    async def list(self, guild_id: int) -> Sequence[ScanStatus]:
        """Look at every channel that has been scanned or is to be, active ones first, then the newest."""
        async with self.pool.acquire() as conn:
            runs = await store.latest_runs(conn, guild_id)
            channels = await channels_store.get_channels_by_guild(conn, guild_id)
            rests_until = await _rests_until(conn)
            seen = [
                await self._look(conn, channel, runs.get(channel.channel_id), rests_until=rests_until)
                for channel in channels
                if channel.channel_id in runs or channel.coverage
            ]
        return sorted(seen, key=_most_interesting_first)

    async def to_show(self, limit: int) -> Sequence[ScanStatus]:
        """Look at runs whose progress message is due."""
        async with self.pool.acquire() as conn:
            found = []
            rests_until = await _rests_until(conn)
            for run in await store.runs_to_show(conn, limit=limit, every=SHOW_EVERY):
                channel = await channels_store.get_channel(conn, run.channel_id)
                if channel is not None:
                    found.append(await self._look(conn, channel, run, rests_until=rests_until))
            return found

    async def shown(self, run_id: UUID, *, message_id: int | None, final: bool) -> None:
        """Remember that a run's message was written, and whether it is the last word."""
        async with self.pool.acquire() as conn:
            await store.shown(conn, run_id, message_id=message_id, final=final)

    async def unshowable(self, run_id: UUID) -> None:
        """Give up on a run's message; `/scan status` alone tells."""
        async with self.pool.acquire() as conn:
            await store.unshowable(conn, run_id)

    async def purge(self, keep: timedelta) -> Mapping[str, object]:
        """Delete runs that ended longer ago than that."""
        async with self.pool.acquire() as conn:
            deleted = await store.purge_scan_runs(conn, keep)
        log.info("purge_scan_runs", deleted=deleted, keep_days=keep.days)
        return {"deleted": deleted, "keep_days": keep.days}

    async def _cancel(self, run: Run, *, by: int) -> Run:
        async def canceled(conn: Connection) -> Run:
            ended = await store.cancel(conn, run.id)
            if ended is None:
                raise NotThere("That scan has already ended.")
            await store.mark_channels_scanned(conn, [ended.id])
            return ended

        ended = await in_transaction(self.pool, canceled)
        log.info("scan.canceled", run_id=str(run.id), channel_id=str(run.channel_id), by=str(by))
        return ended

    async def _channel(self, conn: Connection, guild_id: int, channel_id: int) -> Channel:
        channel = await channels_store.get_channel(conn, channel_id)
        if channel is None or channel.guild_id != guild_id:
            raise NotThere("I don't know that channel.")
        return channel

    async def _look(
        self, conn: Connection, channel: Channel, run: Run | None, *, rests_until: datetime | None
    ) -> ScanStatus:
        rules = await store.rules_of_channel(conn, channel.channel_id)
        current = rules is not None and (
            Rules.of(resolve(self.defaults, rules.guild_settings, rules.settings)).hash == channel.rules_hash
        )
        if await _last_word_is_ours(conn, channel):
            channel = evolve(channel, last_activity_at=None)
        status = look(channel, run, current_rules=current, now=datetime.now(UTC))
        return evolve(status, rests_until=rests_until, token_refused=self.token_refused())


async def _last_word_is_ours(conn: Connection, channel: Channel) -> bool:
    """Tell whether all that came after what is read is a message about a scan: those are never scanned."""
    if channel.last_activity_at is None or not channel.coverage:
        return False
    first = snowflakes.at(channel.last_activity_at)
    if first < channel.coverage[-1].stop:
        return False
    within = IdRange(first, snowflakes.at(channel.last_activity_at + MILLISECOND))
    return await store.is_progress_message(conn, channel.guild_id, channel.channel_id, within)


async def _rests_until(conn: Connection) -> datetime | None:
    """Until when no process reads anything because Discord refused too much; None while all is well."""
    seconds = (await discord_store.look_invalid(conn)).reading
    return datetime.now(UTC) + timedelta(seconds=seconds) if seconds else None


def _bounds(request: ScanRequest) -> tuple[int | None, int | None]:
    """The request's dates as exclusive message ids."""
    if request.limit is not None and not 0 < request.limit <= MOST_MESSAGES:
        raise BadInput("The limit has to be a number from 1 up.")
    if request.since and request.until and request.since >= request.until:
        raise BadInput("`since` has to be before `until`.")
    after = None if request.since is None else max(snowflakes.at(request.since) - 1, 0)
    before = None if request.until is None else snowflakes.at(request.until)
    return after, before


def _most_interesting_first(status: ScanStatus) -> tuple[bool, float]:
    run = status.run
    return (run is None or not run.status.active, 0.0 if run is None else -run.created_at.timestamp())

"""What a process tells about itself: the parts of /ready, and the figures of /metrics."""

import asyncio
from typing import Any, Final

from attrs import frozen

from clipsaver.app.bot import Bot
from clipsaver.app.ground import Ground
from clipsaver.channels import store as channels_store
from clipsaver.clips.picturing.model import PictureState
from clipsaver.clips.picturing.service import Pictures
from clipsaver.clips.picturing.station import PicturingWork
from clipsaver.clips.saving.model import ClipState
from clipsaver.clips.saving.room import Room
from clipsaver.clips.saving.service import Saving
from clipsaver.clips.saving.station import SavingWork
from clipsaver.clips.storehouse.service import Storehouse
from clipsaver.discord.stats import BOUNDS
from clipsaver.guilds import store as guilds_store
from clipsaver.media.fetching.fetcher import Fetcher
from clipsaver.scans import store as scans_store
from clipsaver.scans.station import ScanWork
from clipsaver.web.figures import Figures, Histogram
from clipsaver.web.readiness import Part, Readiness
from clipsaver.work.cron import Cron
from clipsaver.work.worker import Worker

PATIENCE: Final = 2.0
"""Seconds the database may take to answer."""


@frozen(kw_only=True)
class Sight:
    """Looks at the parts of this process; those it hasn't are None."""

    ground: Ground
    work: ScanWork
    bot: Bot | None
    worker: Worker | None
    cron: Cron
    saving: SavingWork | None = None
    pictures: PicturingWork | None = None
    storehouse: Storehouse | None = None

    async def readiness(self) -> Readiness:
        """Tell whether the process can do its work; it answers for its own parts."""
        jobs = {name: status.as_json() for name, status in self.cron.status().items()}
        parts = {
            "database": await self._database(),
            "discord": self._discord(),
            "jobs": Part(ok=True, detail={"jobs": jobs}),
        }
        if self.bot is not None:
            parts |= self._of_bot(self.bot)
        if self.worker is not None:
            # Clips that can't be saved now are saved later: the process can do its work all the same.
            room = None if self.saving is None else self.saving.room
            resting = None if self.pictures is None else self.pictures.pause.reason
            parts["worker"] = Part(
                ok=not self.worker.in_trouble,
                detail={"in_hand": self.worker.in_hand, "in_trouble": list(self.worker.in_trouble)}
                | ({} if room is None or room.halted is None else _of_room(room))
                | ({} if self.saving is None else _of_rests(self.saving.fetcher))
                | ({} if resting is None else {"pictures_halted": resting}),
            )
        return Readiness(parts=parts)

    async def figures(self) -> Figures:
        """Tell what the process counts."""
        stats = self.ground.rest.stats
        return Figures(
            requests={(method, route, status): n for (method, route, status), n in stats.requests.items()},
            throttled=dict(stats.throttled),
            invalid_requests=stats.invalid,
            reading_halted=self.ground.rest.halted is not None,
            halts=self.ground.rest.breaker.halts,
            request_latency=Histogram(bounds=BOUNDS, counts=tuple(stats.latency), seconds=stats.latency_sum),
            page_latency=Histogram(bounds=BOUNDS, counts=tuple(stats.page_latency), seconds=stats.page_latency_sum),
            pool_size=self.ground.pool.get_size(),
            pool_free=self.ground.pool.get_idle_size(),
            jobs_in_hand=None if self.worker is None else self.worker.in_hand,
            gateway_connected=None if self.bot is None else self.bot.connected,
            gateway_reconnects=None if self.bot is None else dict(self.bot.watchdog.reconnects),
            messages_read=None if self.worker is None else self.work.tally.messages,
            clips_found=None if self.worker is None else self.work.tally.clips,
            clips_saved=None if self.saving is None else self.saving.tally.clips,
            bytes_saved=None if self.saving is None else self.saving.tally.bytes,
            saving_halted=None if self.saving is None else self.saving.room.halted is not None,
            saving_resting=None if self.saving is None else not self.saving.fetcher.lets_begin(),
            storage_free=self.saving.room.free if self.saving is not None and self.saving.room.looked else None,
            pictures_made=None if self.pictures is None else self.pictures.tally.made,
            pictures_not_made=None if self.pictures is None else self.pictures.tally.not_made,
            pictures_halted=None if self.pictures is None else self.pictures.pause.reason is not None,
            blobs_verified=None if self.storehouse is None else self.storehouse.tally.verified,
            bytes_verified=None if self.storehouse is None else self.storehouse.tally.verified_bytes,
            blobs_lost=None if self.storehouse is None else dict(self.storehouse.tally.lost),
            files_removed=None if self.storehouse is None else dict(self.storehouse.tally.removed),
            bytes_removed=None if self.storehouse is None else self.storehouse.tally.removed_bytes,
        )

    async def clips(self) -> Figures:
        """Tell how many clips there are in which state, and what they take."""
        saved = await Saving(pool=self.ground.pool).of_all()
        return Figures(
            clips={state.value: saved.of(state) for state in ClipState},
            clips_unsaved=saved.reasons,
            stored_bytes=saved.bytes,
        )

    async def unmade(self) -> Figures:
        """Tell how many stored videos have no pictures."""
        left = await Pictures(pool=self.ground.pool).of_all()
        return Figures(pictures={PictureState.PENDING: left.waiting, PictureState.FAILED: left.failed})

    async def stored(self) -> Figures:
        """Tell what the database counts, for all processes."""
        async with self.ground.pool.acquire() as conn:
            return Figures(
                guilds=await guilds_store.count_guilds(conn),
                channels=await channels_store.count_channels(conn),
                runs=await scans_store.runs_by_status(conn),
            )

    async def _database(self) -> Part:
        try:
            async with asyncio.timeout(PATIENCE):
                await self.ground.pool.fetchval("select 1")
        except Exception as error:  # noqa: BLE001 - whatever it is, the database doesn't answer
            return Part(ok=False, detail={"error": type(error).__name__})
        return Part(ok=True)

    def _discord(self) -> Part:
        halted = self.ground.rest.halted
        return Part(ok=halted is None, detail={} if halted is None else {"halted": str(halted)})

    def _of_bot(self, bot: Bot) -> dict[str, Part]:
        connected = bot.connected
        return {
            "gateway": Part(
                ok=bool(connected) and all(connected.values()),
                detail={
                    "shards": {str(shard): stands for shard, stands in connected.items()},
                    **bot.watchdog.waiting(),
                },
            ),
            "guilds": Part(ok=bot.state.synchronised, detail=dict(bot.state.snapshot())),
            "commands": Part(
                ok=bot.commands.registered,
                detail={} if bot.commands.problem is None else {"problem": bot.commands.problem},
            ),
        }


def _of_room(room: Room) -> dict[str, Any]:
    """Why nothing is fetched, and how much room there was for it."""
    return {"saving_halted": room.halted, "saving_halted_by": room.kind, "storage_free": room.free}


def _of_rests(fetcher: Fetcher) -> dict[str, Any]:
    """Which hosts of files are left alone, while nothing is fetched because of that."""
    rests = fetcher.rests()
    if not rests or fetcher.lets_begin():
        return {}
    said = ", ".join(f"{origin} for {max(1, round(seconds))} s more" for origin, seconds in rests.items())
    return {"saving_resting": f"Files are fetched from no host that is busy or failing: {said}."}

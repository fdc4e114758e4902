"""The demo's parts while it plays: a moderator at work, and what can be looked up about it."""

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Final, TextIO

from attrs import define, field

from clipsaver.app.demo.summary import Summary
from clipsaver.channels import store as channels_store
from clipsaver.clips import store as clips_store
from clipsaver.clips.saving.figures import store as saving_figures
from clipsaver.clips.saving.model import ClipState
from clipsaver.postgres import ranges
from clipsaver.postgres.pool import Pool
from clipsaver.scans import store as scans_store
from clipsaver.scans.model import Run, RunStatus
from clipsaver.simulator.entities import Channel
from clipsaver.simulator.person import Person
from clipsaver.simulator.server import Simulator

ANSWER: Final = 15.0
"""Seconds that a command's whole answer may take."""
LOOK: Final = 0.25
"""Seconds between two looks at the scans."""
MOST_SHOWN: Final = 12
"""Channels whose commands are printed; the others are counted."""
MENTION: Final = re.compile(r"<#(\d+)>")
MOMENT: Final = re.compile(r" ?<t:\d+:\w>")


@define(kw_only=True)
class Stage:
    """A Discord, a database that the program fills, and somebody who tells it what to do."""

    simulator: Simulator
    pool: Pool
    guild_id: int
    channels: Sequence[Channel]
    messages: int
    """Messages there are in the channels."""
    rate_limits: bool
    out: TextIO
    err: TextIO
    _began: float = field(default=0.0, init=False)

    async def command(self) -> None:
        """Switch every channel on and start its scan, as a moderator would, and print what is answered."""
        self._began = asyncio.get_running_loop().time()
        world = self.simulator.world
        moderator = Person(self.simulator, world.moderator_of(self.guild_id))
        for number, channel in enumerate(self.channels):
            for line in ("/read on", "/scan start"):
                reply = await moderator.run(line, in_channel=channel, channel=channel)
                await reply.wait_final(ANSWER)
                if number < MOST_SHOWN:
                    name = world.users[moderator.user_id].username
                    print(f"{name}: {line} channel:#{channel.name}", file=self.out)
                    print(f"    {self._readable(reply.text)}", file=self.out, flush=True)
        if len(self.channels) > MOST_SHOWN:
            print(f"… and the same in {len(self.channels) - MOST_SHOWN} more channels", file=self.out, flush=True)

    async def watch(self, alive: Callable[[], None]) -> Summary:
        """Show how far the scans are until all have ended, and then what they found; `alive` raises to end it."""
        while True:
            alive()
            async with self.pool.acquire() as conn:
                runs = (await scans_store.latest_runs(conn, self.guild_id)).values()
            self._show(list(runs))
            if not any(run.status.active for run in runs):
                break
            await asyncio.sleep(LOOK)
        seconds = asyncio.get_running_loop().time() - self._began
        if self.err.isatty():
            print(file=self.err)
        return await self._summary({run.channel_id: run for run in runs}, seconds)

    def _show(self, runs: Sequence[Run]) -> None:
        if not self.err.isatty():
            return
        read = sum(run.messages_scanned for run in runs)
        found = sum(run.clips_found for run in runs)
        ended = sum(not run.status.active for run in runs)
        text = f"{read:,} of {self.messages:,} messages read, {found:,} clips, {ended} of {len(runs)} scans done"
        print(f"\r\x1b[2K{text}", end="", file=self.err, flush=True)

    async def _summary(self, runs: dict[int, Run], seconds: float) -> Summary:
        there: set[str] = set()
        for channel in self.channels:
            for clips in self.simulator.world.truth(channel.id).values():
                there.update(clips)
        async with self.pool.acquire() as conn:
            found = set(await clips_store.get_clip_ids(conn, [channel.id for channel in self.channels]))
            saved = await saving_figures.of_guild(conn, self.guild_id)
            gaps = 0
            for channel in self.channels:
                row, run = await channels_store.get_channel(conn, channel.id), runs.get(channel.id)
                covered = () if row is None else row.coverage
                whole = ranges.between(0, 1 if run is None or run.horizon is None else run.horizon)
                gaps += len(ranges.subtract(whole, covered))
        stats = self.simulator.stats
        return Summary(
            channels=len(self.channels),
            messages=self.messages,
            messages_read=sum(run.messages_scanned for run in runs.values()),
            clips_there=len(there),
            clips_found=len(found),
            missing=len(there - found),
            unexpected=len(found - there),
            saved=saved.of(ClipState.STORED),
            saved_bytes=saved.bytes,
            gaps=gaps,
            unfinished=len(self.channels) - sum(run.status is RunStatus.SUCCEEDED for run in runs.values()),
            requests=stats.requests.total(),
            throttled=stats.throttled.total(),
            seconds=seconds,
            rate_limits=self.rate_limits,
        )

    def _readable(self, text: str) -> str:
        """As Discord would render it: mentions by name, on few lines."""
        names = MENTION.sub(lambda found: f"#{self.simulator.world.channels[int(found[1])].name}", text)
        return MOMENT.sub("", names).replace("**", "").replace("\n", "\n    ")

"""Whether a first scan is exact at a moment in its middle: what it says is read is there, and nothing else."""

from collections import Counter

from clipsaver.postgres import ranges
from clipsaver.scans import store
from clipsaver.scans.model import Run, RunStatus
from clipsaver.simulator.entities import Channel
from tests.flows.house import House
from tests.flows.ledger import kept


async def check_midway(house: House, channel: Channel) -> Run:
    """Look at a channel's rows in one moment; the scan as it stands then."""
    async with house.pool.acquire() as conn, conn.transaction(isolation="repeatable_read"):
        run = await store.latest_run(conn, channel.id)
        rows = await kept(conn, channel.id)
    assert run is not None
    history = house.world.histories[channel.id]
    read = {one for one in history.ids() if ranges.contains(rows.coverage, one)}
    clips = {message_id: found for message_id, found in history.clips() if message_id in read}
    assert rows.clips == Counter(clip for found in clips.values() for clip in found)
    assert rows.messages.keys() == clips.keys()
    assert rows.message_count == run.messages_scanned == len(read)
    assert (run.messages_matched, run.clips_found) == (len(clips), rows.clips.total())
    whole = len(read) == len(history)
    assert whole or run.status is not RunStatus.SUCCEEDED
    return run

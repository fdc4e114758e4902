"""What runs by the clock."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clipsaver.app.ground import ground
from clipsaver.app.jobs import jobs, share_of_all
from clipsaver.app.saving import kept_in_order
from clipsaver.media.storage import open_storage
from tests.app.conftest import Configure

OLD_RUN = """
insert into bot_channel_scan_runs (channel_id, guild_id, status, finished_at)
values (2, 1, 'succeeded', now() - interval '8 days')
"""


async def test_every_job_has_its_schedule_and_runs(configure: Configure) -> None:
    """Schedules and grace periods are those of the configuration, and each job deletes what it should."""
    config = configure(CLIPSAVER_JOBS_PURGE_SCAN_RUNS_CRON="5 4 * * *", CLIPSAVER_JOBS_PURGE_SCAN_RUNS_KEEP_DAYS="7")
    async with ground(config) as below:
        found = {job.name: job for job in jobs(below)}
        assert config.jobs.keys() - found.keys() == {"verify_blobs", "collect_garbage"}
        assert found["purge_scan_runs"].cron == "5 4 * * *"
        assert found["purge_install_intents"].cron == "*/30 * * * *"
        await below.pool.execute("insert into bot_guilds (guild_id, name) values (1, 'guild')")
        await below.pool.execute(
            "insert into bot_channels (channel_id, guild_id, name, type) values (2, 1, 'c', 'text')"
        )
        await below.pool.execute(OLD_RUN)
        said = {name: await job.run() for name, job in found.items()}
        assert 0 == await below.pool.fetchval("select count(*) from bot_channel_scan_runs")
    assert {"deleted": 0, "keep_days": 7} == said["purge_odd_payloads"]
    assert said["purge_scan_runs"]["deleted"] == 1


async def test_those_on_the_storage(configure: Configure, tmp_path: Path) -> None:
    """A process that has one reads some of it again, and removes what nobody needs."""
    config = configure(CLIPSAVER_JOBS_VERIFY_BLOBS_CRON="@weekly", CLIPSAVER_JOBS_COLLECT_GARBAGE_GRACE_HOURS="0")
    async with ground(config) as below, await open_storage("", data_dir=tmp_path) as storage:
        storehouse = await kept_in_order(below, storage)
        found = {job.name: job for job in jobs(below, storehouse)}
        assert config.jobs.keys() == found.keys()
        assert found["verify_blobs"].cron == "0 0 * * 0"
        async with storage.incoming() as incoming:
            await incoming.write(b"of nobody")
            await storage.keep(incoming)
        await below.pool.execute("insert into blobs (sha256, size) values (sha256('x'), 1)")
        said = {name: await found[name].run() for name in ("verify_blobs", "collect_garbage")}
        assert said["verify_blobs"]["lost"] == 1
        assert said["collect_garbage"]["unknown"] == 1
        assert [one async for one in storage.listing("blobs")] == []


@pytest.mark.parametrize(
    ("cron", "days", "share"),
    [
        ("30 1 * * *", 30, 1 / 30),
        ("0 * * * *", 30, 1 / 720),
        ("0 0 * * 0", 30, 7 / 30),
        ("0 0 1 * *", 30, 1),
        ("30 1 * * *", 0, 1),
    ],
)
def test_a_share(cron: str, days: int, share: float) -> None:
    """So much that all is done in so many days, however often it runs."""
    now = datetime(2026, 2, 27, tzinfo=UTC)
    assert share_of_all(cron, timedelta(days=days), now=now) == pytest.approx(share)

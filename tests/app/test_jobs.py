"""What runs by the clock."""

from clipsaver.app.ground import ground
from clipsaver.app.jobs import jobs
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
        assert config.jobs.keys() == found.keys()
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

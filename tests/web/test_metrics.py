"""One process's metrics."""

import asyncio
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from clipsaver.web.figures import Figures
from clipsaver.web.metrics import Metrics


async def samples(metrics: Metrics) -> dict[str, float]:
    """What Prometheus reads, labels left out."""
    text = (await metrics.render()).decode()
    return {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}


async def test_figures_are_asked_for_at_every_look() -> None:
    """They are never older than the look."""
    guilds = iter([1, 2])

    async def bot() -> Figures:
        return Figures(guilds=next(guilds))

    metrics = Metrics([bot])

    assert [(await samples(metrics))["clipsaver_guilds"] for _ in range(2)] == [1, 2]


async def test_a_process_tells_of_itself() -> None:
    """Time, processor and memory."""
    told = await samples(Metrics())

    assert told["clipsaver_uptime_seconds"] >= 0
    assert told["process_cpu_seconds_total"] > 0
    assert told["process_resident_memory_bytes"] > 1_000_000


async def test_where_there_is_no_proc_the_processor_time_is_told(tmp_path: Path) -> None:
    """Other systems have at least that."""
    told = await samples(Metrics(proc=tmp_path))

    assert told["process_cpu_seconds_total"] > 0
    assert "process_resident_memory_bytes" not in told


async def test_processes_do_not_share_a_registry() -> None:
    """Nothing is global: two in one process don't collide."""
    Metrics()

    assert "clipsaver_uptime_seconds" in await samples(Metrics())


async def test_a_part_that_fails_or_hangs_is_left_out() -> None:
    """The others are told all the same, and that one is missing."""

    async def broken() -> Figures:
        raise OSError

    async def slow() -> Figures:
        await asyncio.Event().wait()
        return Figures()

    async def well() -> Figures:
        return Figures(guilds=1)

    metrics = Metrics([broken, slow, well], patience=0.01)
    with capture_logs() as logs:
        told = await samples(metrics)

    assert (told["clipsaver_guilds"], told["clipsaver_metrics_failures_total"]) == (1, 2)
    assert [line["event"] for line in logs] == ["metrics.part_missing", "metrics.part_missing"]

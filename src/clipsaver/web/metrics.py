"""One process's metrics, in a registry of its own."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from clipsaver.web.figures import Figures, families, merged

log = structlog.get_logger("clipsaver.web")

Supplier = Callable[[], Awaitable[Figures]]
"""Tells what one part of the program knows; asked at every look, so it must be quick."""
PATIENCE = 2.0
"""Seconds a supplier may take before it is left out."""
PROC = Path("/proc")


class Metrics:
    """What the program counts, gathered when somebody asks."""

    def __init__(self, suppliers: Sequence[Supplier] = (), *, patience: float = PATIENCE, proc: Path = PROC) -> None:
        self._suppliers = tuple(suppliers)
        self._patience = patience
        self.registry = CollectorRegistry()
        self._gathered = _Gathered()
        self.registry.register(self._gathered)
        if (proc / "self" / "stat").is_file():
            ProcessCollector(proc=str(proc), registry=self.registry)
        else:
            self.registry.register(_ProcessorTime())
        self._failures = Counter(
            "clipsaver_metrics_failures",
            "Parts of the program that could not say their figures.",
            registry=self.registry,
        )
        self.http_requests = Counter(
            "clipsaver_http_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.http_seconds = Histogram(
            "clipsaver_http_request_seconds", "How long answers took.", ("route",), registry=self.registry
        )

    async def render(self) -> bytes:
        """Everything, in Prometheus's text format; a part that fails is left out and counted."""
        told = await asyncio.gather(*(self._ask(supplier) for supplier in self._suppliers))
        self._gathered.figures = merged(figures for figures in told if figures is not None)
        return generate_latest(self.registry)

    async def _ask(self, supplier: Supplier) -> Figures | None:
        try:
            async with asyncio.timeout(self._patience):
                return await supplier()
        except Exception as error:
            self._failures.inc()
            log.warning("metrics.part_missing", exc_info=error)
            return None


class _Gathered(Collector):
    """What the suppliers said last, and how long the process lives."""

    def __init__(self) -> None:
        self.figures = Figures()
        self._started = time.monotonic()

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "clipsaver_uptime_seconds", "Since the process began.", value=time.monotonic() - self._started
        )
        yield from families(self.figures)


class _ProcessorTime(Collector):
    """What every system can tell about the process."""

    def collect(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "process_cpu_seconds", "Total user and system CPU time spent in seconds.", value=time.process_time()
        )

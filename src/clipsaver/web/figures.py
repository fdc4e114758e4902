"""What the parts of the program count, and the names under which Prometheus knows it. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

import attrs
from attrs import frozen
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric


@frozen(kw_only=True)
class Histogram:
    """Durations, counted in buckets."""

    bounds: tuple[float, ...]
    """Upper ends in seconds, ascending, each included."""
    counts: tuple[int, ...]
    """Of each bucket by itself, and at last of what was longer than every bound."""
    seconds: float
    """All durations together."""


@frozen(kw_only=True)
class Figures:
    """What one part of the program knows; None is for others to say."""

    gateway_connected: Mapping[int, bool] | None = None
    """By shard."""
    gateway_reconnects: Mapping[str, int] | None = None
    """By what made them necessary."""
    guilds: int | None = None
    channels: int | None = None
    runs: Mapping[str, int] | None = None
    """By state."""
    jobs_in_hand: Mapping[str, int] | None = None
    """By station of this process's worker."""
    messages_read: int | None = None
    clips_found: int | None = None
    clips: Mapping[str, int] | None = None
    """By state."""
    clips_unsaved: Mapping[tuple[str, str], int] | None = None
    """By state, and by the code of the reason why they are not stored."""
    stored_bytes: int | None = None
    """Of all stored clips, each charged with its own, though the same bytes lie there once."""
    clips_saved: int | None = None
    bytes_saved: int | None = None
    """What this process has stored."""
    saving_halted: bool | None = None
    """Whether nothing is fetched, because the storage takes nothing."""
    saving_resting: bool | None = None
    """Whether nothing is fetched, because the hosts of the files are given a rest."""
    storage_free: int | None = None
    """Bytes that may come in, as last looked."""
    pictures: Mapping[str, int] | None = None
    """Stored videos without pictures, by state; very large numbers are cut off."""
    pictures_made: int | None = None
    pictures_not_made: int | None = None
    """Videos that this process has looked at, and attempts of it that brought nothing."""
    pictures_halted: bool | None = None
    """Whether none is looked at, because that can't work just now."""
    blobs_verified: int | None = None
    bytes_verified: int | None = None
    """What this process has read again, and found as it should be."""
    blobs_lost: Mapping[str, int] | None = None
    """What it found missing or changed."""
    files_removed: Mapping[str, int] | None = None
    """What it has removed because nobody needs it, by kind."""
    bytes_removed: int | None = None
    requests: Mapping[tuple[str, str, int], int] | None = None
    """To Discord, by method, route template and status; 0 where no answer came."""
    throttled: Mapping[str, int] | None = None
    """429s by scope."""
    invalid_requests: int | None = None
    """What Discord counts towards a ban: 401, 403, and 429 of one's own."""
    reading_halted: bool | None = None
    """Whether nothing is read, because of too many of those or of a token that is not accepted."""
    halts: int | None = None
    """How often too many of those stopped all reading."""
    request_latency: Histogram | None = None
    """Of every answer from Discord."""
    page_latency: Histogram | None = None
    """Of pages of messages alone."""
    pool_size: int | None = None
    pool_free: int | None = None


def merged(parts: Iterable[Figures]) -> Figures:
    """What all parts know together; where two know the same, the later one counts."""
    known: dict[str, Any] = {}
    for part in parts:
        known |= attrs.asdict(part, recurse=False, filter=lambda _, value: value is not None)
    return Figures(**known)


def _gauge(name: str, about: str, *labels: str) -> Callable[[Any], Metric]:
    def family(value: Any) -> Metric:
        metric = GaugeMetricFamily(name, about, labels=labels)
        for names, number in _labelled(value):
            metric.add_metric(names, number)
        return metric

    return family


def _counter(name: str, about: str, *labels: str) -> Callable[[Any], Metric]:
    def family(value: Any) -> Metric:
        metric = CounterMetricFamily(name, about, labels=labels)
        for names, number in _labelled(value):
            metric.add_metric(names, number)
        return metric

    return family


def _histogram(name: str, about: str) -> Callable[[Any], Metric]:
    def family(value: Histogram) -> Metric:
        ends = [*(str(float(bound)) for bound in value.bounds), "+Inf"]
        buckets = list(zip(ends, accumulate(value.counts), strict=True))
        return HistogramMetricFamily(name, about, buckets=buckets, sum_value=value.seconds)

    return family


def _labelled(value: Any) -> Iterator[tuple[tuple[str, ...], float]]:
    """A number without labels, or numbers by one label or by several."""
    if not isinstance(value, Mapping):
        yield (), float(value)
        return
    for labels, number in value.items():
        yield tuple(map(str, labels)) if isinstance(labels, tuple) else (str(labels),), float(number)


FAMILIES: Mapping[str, Callable[[Any], Metric]] = {
    "gateway_connected": _gauge("clipsaver_gateway_connected", "Whether the gateway session stands.", "shard"),
    "gateway_reconnects": _counter("clipsaver_gateway_reconnects", "Gateway connections after the first.", "reason"),
    "guilds": _gauge("clipsaver_guilds", "Servers the bot is in."),
    "channels": _gauge("clipsaver_channels", "Channels known in those servers."),
    "runs": _gauge("clipsaver_runs", "Scan runs by state.", "state"),
    "jobs_in_hand": _gauge("clipsaver_jobs_in_hand", "Jobs this process works on.", "station"),
    "messages_read": _counter("clipsaver_messages_read", "Messages fetched and kept."),
    "clips_found": _counter("clipsaver_clips_found", "Clips found in them."),
    "clips": _gauge("clipsaver_clips", "Clips by state.", "state"),
    "clips_unsaved": _gauge(
        "clipsaver_clips_unsaved", "Clips that are not stored, for which reason.", "state", "reason"
    ),
    "stored_bytes": _gauge("clipsaver_stored_bytes", "What the stored clips take, each counted by itself."),
    "clips_saved": _counter("clipsaver_clips_saved", "Clips whose bytes this process has stored."),
    "bytes_saved": _counter("clipsaver_bytes_saved", "Bytes of the clips that this process has stored."),
    "saving_halted": _gauge("clipsaver_saving_halted", "Whether nothing is fetched because the storage takes nothing."),
    "saving_resting": _gauge("clipsaver_saving_resting", "Whether nothing is fetched because the files' hosts rest."),
    "storage_free": _gauge("clipsaver_storage_free_bytes", "Room for clips beside what stays free."),
    "pictures": _gauge(
        "clipsaver_videos_without_pictures", "Stored videos without pictures by state; 100,000 at most.", "state"
    ),
    "pictures_made": _counter("clipsaver_videos_pictured", "Videos whose pictures this process has made."),
    "pictures_not_made": _counter("clipsaver_pictures_failures", "Attempts at pictures that brought none."),
    "pictures_halted": _gauge("clipsaver_pictures_halted", "Whether no video is looked at because that can't work."),
    "blobs_verified": _counter("clipsaver_blobs_verified", "Stored files that were read again and are as they were."),
    "bytes_verified": _counter("clipsaver_bytes_verified", "The bytes of these."),
    "blobs_lost": _counter("clipsaver_blobs_lost", "Stored files that were found missing or changed.", "damage"),
    "files_removed": _counter("clipsaver_files_removed", "Stored files that nobody needed any more.", "kind"),
    "bytes_removed": _counter("clipsaver_bytes_removed", "The bytes of these."),
    "requests": _counter(
        "clipsaver_discord_requests", "Requests to Discord by route template.", "method", "route", "status"
    ),
    "throttled": _counter("clipsaver_discord_throttled", "Answers 429 by scope.", "scope"),
    "invalid_requests": _counter("clipsaver_discord_invalid_requests", "Answers that count towards a ban."),
    "reading_halted": _gauge("clipsaver_discord_reading_halted", "Whether all reading rests because of refusals."),
    "halts": _counter("clipsaver_discord_halts", "How often too many refusals stopped all reading."),
    "request_latency": _histogram("clipsaver_discord_request_seconds", "How long Discord takes for an answer."),
    "page_latency": _histogram("clipsaver_page_seconds", "How long Discord takes for a page of messages."),
    "pool_size": _gauge("clipsaver_database_pool_size", "Connections to the database."),
    "pool_free": _gauge("clipsaver_database_pool_free", "Connections to the database that nobody uses."),
}


def families(figures: Figures) -> Iterator[Metric]:
    """The figures that are known, as Prometheus takes them."""
    for name, family in FAMILIES.items():
        value = getattr(figures, name)
        if value is not None:
            yield family(value)

"""Figures and their names."""

import attrs

from clipsaver.web.figures import FAMILIES, Figures, Histogram, families, merged


def samples(figures: Figures) -> dict[tuple[str, ...], float]:
    """Every sample by its name and labels."""
    return {
        (sample.name, *(text for pair in sample.labels.items() for text in pair)): sample.value
        for family in families(figures)
        for sample in family.samples
    }


def test_every_figure_has_a_name() -> None:
    """None is counted in vain."""
    assert [field.name for field in attrs.fields(Figures)] == list(FAMILIES)


def test_what_nobody_knows_is_left_out() -> None:
    """A worker says nothing about the gateway; zero is said."""
    assert samples(Figures(guilds=0)) == {("clipsaver_guilds",): 0}


def test_parts_are_put_together() -> None:
    """Each part tells what it knows; the later one counts."""
    together = merged([Figures(guilds=1, channels=2), Figures(channels=3), Figures()])

    assert together == Figures(guilds=1, channels=3)


def test_labels_are_written() -> None:
    """By one label, by several, by numbers."""
    figures = Figures(
        gateway_connected={0: True},
        gateway_reconnects={"closed_4001": 3},
        runs={"queued": 2},
        clips={"stored": 5},
        clips_unsaved={("failed", "link_dead"): 4},
        requests={("GET", "/channels/{channel_id}/messages", 200): 7},
        throttled={"user": 1},
    )

    assert samples(figures) == {
        ("clipsaver_gateway_connected", "shard", "0"): 1,
        ("clipsaver_gateway_reconnects_total", "reason", "closed_4001"): 3,
        ("clipsaver_runs", "state", "queued"): 2,
        ("clipsaver_clips", "state", "stored"): 5,
        ("clipsaver_clips_unsaved", "state", "failed", "reason", "link_dead"): 4,
        (
            "clipsaver_discord_requests_total",
            "method",
            "GET",
            "route",
            "/channels/{channel_id}/messages",
            "status",
            "200",
        ): 7,
        ("clipsaver_discord_throttled_total", "scope", "user"): 1,
    }


def test_a_histogram_adds_up() -> None:
    """Prometheus wants each bucket with all below it."""
    latency = Histogram(bounds=(0.1, 1), counts=(3, 2, 1), seconds=4.5)

    assert samples(Figures(page_latency=latency)) == {
        ("clipsaver_page_seconds_bucket", "le", "0.1"): 3,
        ("clipsaver_page_seconds_bucket", "le", "1.0"): 5,
        ("clipsaver_page_seconds_bucket", "le", "+Inf"): 6,
        ("clipsaver_page_seconds_count",): 6,
        ("clipsaver_page_seconds_sum",): 4.5,
    }

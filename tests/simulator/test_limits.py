"""Rate limits as Discord describes them, told the time."""

from hypothesis import given
from hypothesis import strategies as st

from clipsaver.simulator.limits import Limits, Rule, Verdict, Window

MESSAGES = "/channels/{channel_id}/messages"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_760_000_000.0

    def __call__(self) -> float:
        """The moment it shows."""
        return self.now


def make_limits(**options: object) -> tuple[Limits, Clock]:
    """Limits and the clock they look at."""
    clock = Clock()
    return Limits(clock=clock, **options), clock  # type: ignore[arg-type]


def take(limits: Limits, channel: int = 1, *, method: str = "GET", template: str = MESSAGES) -> Verdict:
    """Ask for a page of a channel."""
    return limits.take("bot", method, template, {"channel_id": str(channel)})


def test_five_pages_in_five_seconds_of_a_channel() -> None:
    """The sixth is told when to come again; another channel has its own counting."""
    limits, clock = make_limits()
    left = [take(limits).headers["X-RateLimit-Remaining"] for _ in range(5)]
    assert left == ["4", "3", "2", "1", "0"]
    clock.now += 2
    refused = take(limits)
    assert refused.retry_after == 3.0
    assert refused.body == {"message": "You are being rate limited.", "retry_after": 3.0, "global": False}
    headers = refused.headers
    assert (headers["Retry-After"], headers["X-RateLimit-Scope"]) == ("3", "user")
    assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("5", "0")
    assert headers["X-RateLimit-Reset-After"] == "3.000"
    assert headers["X-RateLimit-Reset"] == f"{clock.now + 3:.3f}"
    other = take(limits, 2)
    assert other.retry_after is None
    assert other.headers["X-RateLimit-Bucket"] == headers["X-RateLimit-Bucket"]
    clock.now += 3
    assert take(limits).headers["X-RateLimit-Remaining"] == "4"
    assert limits.throttled == {"user": 1}


def test_a_sliding_window_gives_back_one_by_one() -> None:
    """What was asked first is free again first; the reset told is that of all."""
    limits, clock = make_limits(window="sliding")
    for _ in range(5):
        verdict = take(limits)
        clock.now += 1
    assert verdict.headers["X-RateLimit-Reset-After"] == "5.000"
    assert take(limits).headers["X-RateLimit-Remaining"] == "0"
    assert take(limits).retry_after == 1.0


def test_routes_share_a_bucket_where_discord_shares_one() -> None:
    """Public and private archived threads count together; routes without a rule say nothing."""
    limits, _ = make_limits()
    public = take(limits, template="/channels/{channel_id}/threads/archived/public")
    private = take(limits, template="/channels/{channel_id}/threads/archived/private")
    assert public.headers["X-RateLimit-Bucket"] == private.headers["X-RateLimit-Bucket"]
    assert private.headers["X-RateLimit-Remaining"] == "3"
    assert take(limits, template="/channels/{channel_id}").headers == {}


def test_the_global_limit_is_over_all_routes_of_a_bot() -> None:
    """Fifty a second; the 429 says global and shows no bucket; exempt routes pass."""
    limits, clock = make_limits()
    for channel in range(50):
        assert take(limits, channel).retry_after is None
    refused = take(limits, 99)
    assert refused.body["global"] is True
    assert refused.headers == {"X-RateLimit-Global": "true", "Retry-After": "1", "X-RateLimit-Scope": "global"}
    exempt = limits.take("bot", "POST", "/interactions/x", {}, exempt=True)
    assert exempt.retry_after is None
    assert limits.take("other", "GET", MESSAGES, {"channel_id": "1"}).retry_after is None
    clock.now += 1
    assert take(limits, 99).retry_after is None


def test_the_global_limit_can_be_off() -> None:
    """The buckets stay."""
    limits, _ = make_limits(per_second=0)
    assert all(take(limits, channel).retry_after is None for channel in range(200))


def test_a_shared_limit_is_nobodys_fault() -> None:
    """It holds back all routes of a resource, says so, and counts towards no ban."""
    limits, clock = make_limits(invalid_limit=1)
    limits.hold_back("1", 10)
    for template in (MESSAGES, "/channels/{channel_id}"):
        refused = take(limits, template=template)
        assert refused.retry_after == 10.0
        assert refused.headers["X-RateLimit-Scope"] == "shared"
        assert refused.body["message"] == "The resource is being rate limited."
    limits.count_invalid(429, "shared")
    assert limits.banned_for() == 0
    clock.now += 10
    assert take(limits).retry_after is None


def test_too_many_invalid_requests_are_a_ban() -> None:
    """401, 403 and 429 within ten minutes; others and old ones don't count."""
    limits, clock = make_limits(invalid_limit=3, ban_seconds=60)
    limits.count_invalid(401)
    limits.count_invalid(404)
    clock.now += 601
    limits.count_invalid(403)
    limits.count_invalid(429, "user")
    assert limits.banned_for() == 0
    limits.count_invalid(429, "global")
    assert limits.banned_for() == 60
    clock.now += 60
    assert limits.banned_for() == 0


def test_webhooks_count_by_id_and_token() -> None:
    """Two interactions' answers don't hold each other up."""
    limits, _ = make_limits()
    template = "/webhooks/{webhook_id}/{webhook_token}/messages/@original"
    for _ in range(5):
        limits.take("bot", "PATCH", template, {"webhook_id": "1", "webhook_token": "a"})
    assert limits.take("bot", "GET", template, {"webhook_id": "1", "webhook_token": "a"}).retry_after is not None
    assert limits.take("bot", "GET", template, {"webhook_id": "1", "webhook_token": "b"}).retry_after is None


def test_what_is_counted_is_bounded() -> None:
    """The oldest bucket is forgotten first."""
    limits, _ = make_limits(per_second=0, most_buckets=2)
    for channel in (1, 2, 3, 1):
        verdict = take(limits, channel)
    assert verdict.headers["X-RateLimit-Remaining"] == "4"
    assert len(limits._buckets) == 2


@given(
    gaps=st.lists(st.floats(0, 2), max_size=60),
    window=st.sampled_from(["fixed", "sliding"]),
)
def test_whoever_waits_as_told_is_never_refused(gaps: list[float], window: Window) -> None:
    """A client that obeys Remaining and Reset-After meets no 429, and never more than the limit in its windows."""
    limits, clock = make_limits(window=window, per_second=0, rules={("GET", MESSAGES): _rule()})
    for gap in gaps:
        clock.now += gap
        verdict = take(limits)
        assert verdict.retry_after is None
        if verdict.headers["X-RateLimit-Remaining"] == "0":
            clock.now += float(verdict.headers["X-RateLimit-Reset-After"]) + 0.001


@given(gaps=st.lists(st.floats(0, 1), min_size=5, max_size=80))
def test_a_sliding_window_never_lets_more_through(gaps: list[float]) -> None:
    """However one asks."""
    limits, clock = make_limits(window="sliding", per_second=0, rules={("GET", MESSAGES): _rule()})
    passed = []
    for gap in gaps:
        clock.now += gap
        if take(limits).retry_after is None:
            passed.append(clock.now)
    assert all(later - earlier >= 2 for earlier, later in zip(passed, passed[3:], strict=False))


def _rule() -> Rule:
    return Rule(limit=3, seconds=2, bucket="b")

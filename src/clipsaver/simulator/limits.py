"""Discord's rate limits: 50 a second for a bot, a bucket per route and resource, a ban for invalid requests."""

import hashlib
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Final, Literal

from attrs import define, field, frozen

Window = Literal["fixed", "sliding"]
Scope = Literal["user", "global", "shared"]
MAJOR: Final = ("channel_id", "guild_id", "webhook_id")


@frozen(kw_only=True)
class Rule:
    """How often something may be asked for."""

    limit: int
    seconds: float
    bucket: str
    """Routes with one bucket name share their counting."""


def _rules() -> dict[tuple[str, str], Rule]:
    archived = Rule(limit=5, seconds=5, bucket="archived threads")
    messages = "/channels/{channel_id}/messages"
    own_answer = Rule(limit=5, seconds=5, bucket="webhook message")
    rules = {
        ("GET", messages): Rule(limit=5, seconds=5, bucket="messages"),
        ("POST", messages): Rule(limit=5, seconds=5, bucket="create message"),
        ("GET", messages + "/{message_id}"): Rule(limit=5, seconds=5, bucket="message"),
        ("PATCH", messages + "/{message_id}"): Rule(limit=5, seconds=5, bucket="edit message"),
        ("DELETE", messages + "/{message_id}"): Rule(limit=5, seconds=1, bucket="delete message"),
        ("POST", messages + "/bulk-delete"): Rule(limit=1, seconds=1, bucket="bulk delete"),
        ("GET", "/channels/{channel_id}/threads/archived/public"): archived,
        ("GET", "/channels/{channel_id}/threads/archived/private"): archived,
        ("GET", "/channels/{channel_id}/users/@me/threads/archived/private"): archived,
        ("GET", "/guilds/{guild_id}/members"): Rule(limit=10, seconds=10, bucket="members"),
        ("GET", "/guilds/{guild_id}/members/{user_id}"): Rule(limit=5, seconds=1, bucket="member"),
        ("GET", "/users/@me/guilds"): Rule(limit=5, seconds=5, bucket="my guilds"),
        ("GET", "/users/{user_id}"): Rule(limit=30, seconds=30, bucket="user"),
        ("POST", "/webhooks/{webhook_id}/{webhook_token}"): Rule(limit=5, seconds=2, bucket="follow-up"),
    }
    for method in ("GET", "PATCH", "DELETE"):
        rules[method, "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}"] = own_answer
        rules[method, "/webhooks/{webhook_id}/{webhook_token}/messages/@original"] = own_answer
    return rules


@define(kw_only=True)
class _Bucket:
    """One counting: of a rule and a major parameter."""

    rule: Rule
    times: deque[float] = field(factory=deque)
    """When requests were let through, oldest first; in a fixed window only those of the window."""

    def expire(self, now: float, window: Window) -> None:
        """Forget what no longer counts."""
        if window == "fixed":
            if self.times and now - self.times[0] >= self.rule.seconds:
                self.times.clear()
            return
        while self.times and now - self.times[0] >= self.rule.seconds:
            self.times.popleft()

    def remaining(self) -> int:
        return max(self.rule.limit - len(self.times), 0)

    def reset_after(self, now: float, window: Window) -> float:
        """Seconds until everything may be asked again."""
        if not self.times:
            return self.rule.seconds
        return max((self.times[0] if window == "fixed" else self.times[-1]) + self.rule.seconds - now, 0.0)

    def retry_after(self, now: float) -> float:
        """Seconds until one more may be asked."""
        return max(self.times[0] + self.rule.seconds - now, 0.0)


@frozen(kw_only=True)
class Verdict:
    """What the limits say to one request."""

    headers: Mapping[str, str]
    retry_after: float | None = None
    """Set when the request is refused."""
    scope: Scope = "user"

    @property
    def body(self) -> dict[str, object]:
        """The body of a 429."""
        resource = "The resource is being rate limited." if self.scope == "shared" else "You are being rate limited."
        after = round(self.retry_after or 0, 3)
        return {"message": resource, "retry_after": after, "global": self.scope == "global"}


@define(kw_only=True)
class Limits:
    """Counts requests and refuses those that are too many; told the time, so that it can be tested without waiting."""

    per_second: int = 50
    """For one bot over all routes; 0 turns the global limit off."""
    window: Window = "fixed"
    rules: dict[tuple[str, str], Rule] = field(factory=_rules)
    """Method and path template to rule; routes that aren't named have no bucket and say so by sending no headers."""
    invalid_limit: int = 10_000
    invalid_seconds: float = 600.0
    ban_seconds: float = 3600.0
    most_buckets: int = 20_000
    clock: Callable[[], float] = time.time
    throttled: Counter[str] = field(factory=Counter)
    """429s by scope."""
    shared: dict[str, float] = field(factory=dict)
    """Major parameters whose resource is held back by others, until when."""
    _buckets: dict[tuple[str, str, str], _Bucket] = field(factory=dict, init=False)
    _global: dict[str, _Bucket] = field(factory=dict, init=False)
    _invalid: deque[float] = field(factory=deque, init=False)
    _banned_until: float = field(default=0.0, init=False)

    def hold_back(self, major: str, seconds: float) -> None:
        """From now on answer 429 with scope ``shared`` for this channel, guild or webhook, for a while."""
        self.shared[major] = self.clock() + seconds

    def banned_for(self) -> float:
        """Seconds this address is still banned."""
        return max(self._banned_until - self.clock(), 0.0)

    def count_invalid(self, status: int, scope: str | None = None) -> None:
        """Count a 401, 403 or 429, unless it was the resource's fault; too many are a ban."""
        if status not in {401, 403, 429} or scope == "shared":
            return
        now = self.clock()
        self._invalid.append(now)
        while self._invalid and now - self._invalid[0] > self.invalid_seconds:
            self._invalid.popleft()
        if len(self._invalid) >= self.invalid_limit:
            self._banned_until = now + self.ban_seconds
            self._invalid.clear()

    def take(self, who: str, method: str, template: str, ids: Mapping[str, str], *, exempt: bool = False) -> Verdict:
        """Let a request through or refuse it; ``exempt`` ones are not bound by the global limit."""
        now = self.clock()
        if not exempt and self.per_second and (wait := self._take_global(who, now)):
            return wait
        rule = self.rules.get((method, template))
        major = next((f"{ids[name]}:{ids.get('webhook_token', '')}" for name in MAJOR if name in ids), "")
        held = self.shared.get(major.partition(":")[0], 0.0) - now
        if rule is None:
            return self._refuse({}, held, "shared") if held > 0 else Verdict(headers={})
        bucket = self._bucket(who, rule, major)
        bucket.expire(now, self.window)
        if held > 0:
            return self._refuse(self._headers(bucket, now), held, "shared")
        if not bucket.remaining():
            return self._refuse(self._headers(bucket, now), bucket.retry_after(now), "user")
        bucket.times.append(now)
        return Verdict(headers=self._headers(bucket, now))

    def _take_global(self, who: str, now: float) -> Verdict | None:
        bucket = self._global.setdefault(who, _Bucket(rule=Rule(limit=self.per_second, seconds=1.0, bucket="global")))
        bucket.expire(now, self.window)
        if bucket.remaining():
            bucket.times.append(now)
            return None
        return self._refuse({"X-RateLimit-Global": "true"}, bucket.retry_after(now), "global")

    def _bucket(self, who: str, rule: Rule, major: str) -> _Bucket:
        key = (who, rule.bucket, major)
        if key not in self._buckets and len(self._buckets) >= self.most_buckets:
            self._buckets.pop(next(iter(self._buckets)))
        return self._buckets.setdefault(key, _Bucket(rule=rule))

    def _headers(self, bucket: _Bucket, now: float) -> dict[str, str]:
        after = bucket.reset_after(now, self.window)
        return {
            "X-RateLimit-Limit": str(bucket.rule.limit),
            "X-RateLimit-Remaining": str(bucket.remaining()),
            "X-RateLimit-Reset": f"{now + after:.3f}",
            "X-RateLimit-Reset-After": f"{after:.3f}",
            "X-RateLimit-Bucket": hashlib.blake2b(bucket.rule.bucket.encode(), digest_size=16).hexdigest(),
        }

    def _refuse(self, headers: Mapping[str, str], wait: float, scope: Scope) -> Verdict:
        self.throttled[scope] += 1
        told = dict(headers) | {"Retry-After": str(max(int(wait + 0.999), 1)), "X-RateLimit-Scope": scope}
        return Verdict(headers=told, retry_after=wait, scope=scope)

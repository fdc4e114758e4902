"""The configuration's shape. Defaults are in `config.toml`, which ships with the package, and nowhere else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from attrs import field, frozen

from clipsaver.config import checks


@frozen(kw_only=True)
class DiscordConfig:
    """How to reach Discord, and as whom."""

    token: str = field(repr=False, converter=checks.stripped)
    """The bot's token; empty when it was given nowhere."""
    client_secret: str = field(repr=False, converter=checks.stripped)
    """For OAuth."""
    rest_url: str = field(converter=checks.base_url)
    """Base of the REST API, without a slash at the end."""
    oauth_url: str = field(converter=checks.base_url)
    """Base of the page that browsers are sent to."""
    media_origins: tuple[str, ...] = field(converter=checks.origins)
    """Origins that attachments may be fetched from."""
    requests_per_second: float = field(converter=checks.not_negative)
    """What all processes on the token take together; 0 is not metered."""


@frozen(kw_only=True)
class DatabaseConfig:
    """Where the rows are."""

    url: str = field(repr=False, converter=checks.database_url)
    """Empty: the embedded PostgreSQL."""
    pool_size: int = field(converter=checks.positive)
    """Connections a process holds at most."""
    statement_cache_size: int = field(converter=checks.whole_not_negative)
    """Prepared statements a connection keeps; 0 behind PgBouncer in transaction mode."""


@frozen(kw_only=True)
class StorageConfig:
    """Where the bytes are."""

    url: str = field(converter=checks.storage_url)
    """Empty: under the data directory."""
    reserve_gb: float = field(converter=checks.not_negative)
    """What stays free on the disk."""


@frozen(kw_only=True)
class QueueConfig:
    """The way in for other programs."""

    redis_url: str = field(repr=False, converter=checks.redis_url)
    """Empty: no Redis."""


@frozen(kw_only=True)
class WebConfig:
    """The HTTP server."""

    host: str = field(converter=checks.stripped)
    """The address to listen on."""
    port: int | None = field(default=None, converter=checks.port)
    """None when it was set nowhere: the role decides."""
    public_url: str = field(converter=checks.optional_url)
    """How browsers reach it; empty when they don't."""


@frozen(kw_only=True)
class LogConfig:
    """What is written about what happens."""

    level: str = field(converter=checks.log_level)
    """The level of every logger without one of its own."""
    format: str = field(converter=checks.log_format)
    """json, console or auto."""
    levels: Mapping[str, str]
    """Levels by logger."""


@frozen(kw_only=True)
class ScansConfig:
    """How channels are read."""

    concurrency: int = field(converter=checks.positive)
    """Channels a worker reads at the same time."""
    lease_seconds: float = field(converter=checks.at_least_a_second)
    """How long a silent worker keeps its run."""


@frozen(kw_only=True)
class SavingConfig:
    """How clips' bytes are saved."""

    concurrency: int = field(converter=checks.positive)
    """Clips a worker downloads at the same time."""
    lease_seconds: float = field(converter=checks.at_least_a_second)
    """How long a silent worker keeps its clips."""


@frozen(kw_only=True)
class MediaConfig:
    """How stored videos are looked at."""

    children: int = field(converter=checks.positive)
    """Videos a process looks at at the same time."""
    memory_mb: int = field(converter=checks.enough_for_decoding)
    """Memory of the child that looks at one."""
    lease_seconds: float = field(converter=checks.at_least_a_second)
    """How long a silent worker keeps its videos."""


@frozen(kw_only=True)
class Config:
    """All of it."""

    data_dir: Path
    """The embedded database and the local storage; absolute."""
    discord: DiscordConfig
    database: DatabaseConfig
    storage: StorageConfig
    queue: QueueConfig
    web: WebConfig
    log: LogConfig
    scans: ScansConfig
    saving: SavingConfig
    media: MediaConfig
    guild_defaults: Mapping[str, Any]
    """Settings a new guild starts with, by key: values that fit into JSON; which make sense is for guilds to say."""
    jobs: Mapping[str, Mapping[str, Any]]
    """What is known of each job by its name, ``cron`` among it, as five fields."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every text that must never be read in a log, longest first."""
        addresses = (self.database.url, self.queue.redis_url)
        found = {self.discord.token, self.discord.client_secret, *addresses}
        for parts in map(urlsplit, addresses):
            password = parts.password or ""
            found |= {password, unquote(password), *parse_qs(parts.query).get("password", ())}
        return tuple(sorted(found - {""}, key=lambda text: (-len(text), text)))

"""What the operator decides: `config.toml`, the environment and `.env`, checked and frozen."""

from clipsaver.config.loading import Key, keys, load
from clipsaver.config.model import (
    Config,
    DatabaseConfig,
    DiscordConfig,
    LogConfig,
    QueueConfig,
    ScansConfig,
    StorageConfig,
    WebConfig,
)
from clipsaver.config.sources import packaged

__all__ = [
    "Config",
    "DatabaseConfig",
    "DiscordConfig",
    "Key",
    "LogConfig",
    "QueueConfig",
    "ScansConfig",
    "StorageConfig",
    "WebConfig",
    "keys",
    "load",
    "packaged",
]

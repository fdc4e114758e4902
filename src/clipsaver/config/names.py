"""The names a key goes by besides its own: variables of the environment, and keys of an earlier release's files."""

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

from attrs import evolve

from clipsaver.config.sources import Value
from clipsaver.errors import StartFailed

PREFIX = "CLIPSAVER_"
LEVELS = "log.levels."
SETTINGS_FILE = "DEFAULT_SETTINGS_PATH"
ALIASES: Mapping[str, tuple[str, ...]] = {
    "discord.token": ("BOT_TOKEN", "DISCORD_BOT_TOKEN"),
    "database.url": ("DATABASE_URL",),
    "queue.redis_url": ("REDIS_URL",),
    "log.level": ("LOG_LEVEL",),
    "jobs.purge_install_intents.cron": ("INSTALL_INTENT_PURGE_CRON",),
    "jobs.purge_install_intents.grace_seconds": ("INSTALL_INTENT_PURGE_GRACE_SECONDS",),
}
"""Variables by key; the first that is set counts."""
DATABASE_PARTS: Mapping[str, tuple[str, ...]] = {
    "host": ("POSTGRES_HOST", "DB_HOST"),
    "port": ("POSTGRES_PORT", "DB_PORT"),
    "user": ("POSTGRES_USER", "DB_USER"),
    "password": ("POSTGRES_PASSWORD", "DB_PASSWORD"),
    "name": ("POSTGRES_DB", "DB_NAME"),
}
FILE_ALIASES: Mapping[str, str] = {
    "install_intent_purge_cron": "jobs.purge_install_intents.cron",
    "install_intent_purge_grace_seconds": "jobs.purge_install_intents.grace_seconds",
}
SECTION_ALIASES = {"guild_settings_defaults.": "guild_defaults.", "database_settings_defaults.": ""}
NOT_KEYS = ("CLIPSAVER_CONFIG", "CLIPSAVER_EXCHANGES", "CLIPSAVER_TEST_", "CLIPSAVER_SERVICE_", "CLIPSAVER_PORT")
"""How variables begin that are no keys: the file's, the tests', and what an orchestrator sets for its services."""


def twin(key: str) -> str:
    """The variable that sets a key and wins over everything else."""
    return PREFIX + key.upper().replace(".", "_")


def twins(variables: Mapping[str, Value], keys: Iterable[str]) -> Iterator[tuple[str, Value]]:
    """The keys set by their twins; raises StartFailed for a variable that looks like one and is none."""
    by_variable = {twin(key): key for key in keys}
    for variable, value in variables.items():
        if not variable.startswith(PREFIX):
            continue
        if variable in by_variable:
            yield by_variable[variable], value
        elif variable.startswith(twin(LEVELS)):
            yield LEVELS + variable.removeprefix(twin(LEVELS)).lower().replace("_", "."), value
        elif not variable.startswith(NOT_KEYS):
            raise StartFailed(f"{value.source} names no key of the configuration; docs/configuration.md lists them.")


def aliases(variables: Mapping[str, Value]) -> Iterator[tuple[str, Value]]:
    """The keys set by variables with names of their own."""
    parts = database_parts(variables)
    if parts is not None:
        yield "database.url", parts
    for key, names in ALIASES.items():
        given = next((variables[name] for name in names if name in variables), None)
        if given is not None:
            yield key, given


def database_parts(variables: Mapping[str, Value]) -> Value | None:
    """The address put together from POSTGRES_* or DB_*; None when neither names a server, a user or a database."""
    kind = variables.get("DB_TYPE")
    given = {
        part: next((variables[name] for name in names if name in variables), None)
        for part, names in DATABASE_PARTS.items()
    }
    said = [value for part, value in given.items() if value is not None and part != "port"]
    if not said:
        return None
    if kind is not None and kind.raw.strip().lower() not in {"postgres", "postgresql"}:
        raise StartFailed(
            f"{kind.source} (database.url) must be postgres: clipsaver keeps its rows in PostgreSQL only."
        )
    texts = {part: "" if value is None else value.raw.strip() for part, value in given.items()}
    if texts["port"] and not texts["port"].isdecimal():
        source = "" if given["port"] is None else given["port"].source
        raise StartFailed(f"{source} (database.url) must be a port number.")
    return evolve(said[0], raw=_address(texts), source=", ".join(value.source for value in said))


def _address(parts: Mapping[str, str]) -> str:
    user = parts["user"] or "postgres"
    login = quote(user, safe="") + (f":{quote(parts['password'], safe='')}" if parts["password"] else "")
    name = quote(parts["name"] or user, safe="")
    host, port = parts["host"] or "localhost", parts["port"] or "5432"
    if host.startswith("/"):
        return f"postgresql://{login}@/{name}?host={quote(host, safe='')}&port={port}"
    return f"postgresql://{login}@{f'[{host}]' if ':' in host else host}:{port}/{name}"


def renamed(found: Iterable[tuple[str, Value]]) -> dict[str, Value]:
    """The values of one file with today's names; raises StartFailed when two names of one key say different things."""
    values: dict[str, Value] = {}
    named: dict[str, str] = {}
    for given, value in found:
        name = given
        for old, new in SECTION_ALIASES.items():
            if given.startswith(old):
                name = new + given.removeprefix(old)
        name = FILE_ALIASES.get(name, name)
        if name in values and values[name].raw != value.raw:
            raise StartFailed(f"{named[name]} and {given} in {value.source} say different things; keep one of them.")
        values[name] = value
        named[name] = given
    return values

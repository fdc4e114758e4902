"""What a single value must look like: each check gives it one form, or raises a ValueError that says what is wanted."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

from cronsim import CronSim, CronSimError

LEVELS = {
    "TRACE": "TRACE",
    "DEBUG": "DEBUG",
    "INFO": "INFO",
    "WARN": "WARNING",
    "WARNING": "WARNING",
    "ERROR": "ERROR",
    "FATAL": "CRITICAL",
    "CRITICAL": "CRITICAL",
}
FORMATS = ("json", "console", "auto")
NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
CRON_FIELDS = 5
HIGHEST_PORT = 65535
LEAST_MEMORY = 192
"""Megabytes; loading the decoders alone takes most of it."""
A_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)


def cron_expression(text: str) -> str:
    """Five fields, with a nickname such as ``@daily`` written out; no seconds, and it must come round at all."""
    fields = NICKNAMES.get(text.strip().lower(), text).split()
    if len(fields) != CRON_FIELDS:
        raise ValueError("must be a cron expression of five fields, or @hourly, @daily, @weekly, @monthly, @yearly")
    expression = " ".join(fields)
    try:
        next(CronSim(expression, A_MONDAY))
    except CronSimError as error:
        raise ValueError(f"must be a cron expression: {str(error).lower()}") from None
    except StopIteration:
        raise ValueError("must be a cron expression that comes round some day") from None
    return expression


def log_level(text: str) -> str:
    """The name of a level, in capitals."""
    level = LEVELS.get(text.strip().upper())
    if level is None:
        raise ValueError("must be DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return level


def log_format(text: str) -> str:
    """One of json, console and auto."""
    chosen = text.strip().lower()
    if chosen not in FORMATS:
        raise ValueError("must be json, console or auto")
    return chosen


def stripped(text: str) -> str:
    """Without the blanks and line ends that come along when something is pasted."""
    return text.strip()


def base_url(text: str) -> str:
    """An http or https address without a slash at its end."""
    _web_address(text)
    return text.strip().rstrip("/")


def optional_url(text: str) -> str:
    """Nothing, or what `base_url` takes."""
    return base_url(text) if text.strip() else ""


def origins(given: tuple[str, ...]) -> tuple[str, ...]:
    """Scheme, host and port of each, small letters, the standard port left out."""
    return tuple(_origin(text) for text in given)


def _origin(text: str) -> str:
    scheme, host, port, path = _web_address(text)
    if path not in {"", "/"}:
        raise ValueError("must be origins, such as https://cdn.discordapp.com, without a path")
    standard = {"http": 80, "https": 443}[scheme]
    bracketed = f"[{host}]" if ":" in host else host
    return f"{scheme}://{bracketed}" if port in {None, standard} else f"{scheme}://{bracketed}:{port}"


def _web_address(text: str) -> tuple[str, str, int | None, str]:
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ValueError("must be an address that begins with https:// or http://") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an address that begins with https:// or http://")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must be an address without user name, query or fragment")
    return parts.scheme, parts.hostname, port, parts.path


def database_url(text: str) -> str:
    """Nothing, or an address that asyncpg takes."""
    return _address(text, "postgresql://", "postgres://")


def redis_url(text: str) -> str:
    """Nothing, or the address of a Redis."""
    return _address(text, "redis://", "rediss://", "unix://")


def _address(text: str, *beginnings: str) -> str:
    address = text.strip()
    if address and not address.startswith(beginnings):
        raise ValueError(f"must be an address that begins with {beginnings[0]}")
    try:
        urlsplit(address)
    except ValueError:
        raise ValueError("must be an address; special characters in it are written as %5B and the like") from None
    return address


def storage_url(text: str) -> str:
    """Nothing, or where files are kept."""
    address = text.strip().rstrip("/")
    if address.startswith("file:") and not address.startswith("file:///"):
        raise ValueError("must name an absolute folder, as in file:///srv/clips")
    if address and not address.startswith(("file:///", "s3://", "gs://", "az://")):
        raise ValueError("must begin with file:///, s3://, gs:// or az://")
    return address


def port(number: int | None) -> int | None:
    """A port to listen on; 0 is any free one."""
    if number is not None and not 0 <= number <= HIGHEST_PORT:
        raise ValueError(f"must be a port from 0 to {HIGHEST_PORT}")
    return number


def positive(number: int) -> int:
    """At least one."""
    if number < 1:
        raise ValueError("must be at least 1")
    return number


def not_negative(number: float) -> float:
    """Nothing or more."""
    if not 0 <= number < float("inf"):
        raise ValueError("must be 0 or more")
    return number


def whole_not_negative(number: int) -> int:
    """Nothing or more, counted."""
    if number < 0:
        raise ValueError("must be 0 or more")
    return number


def at_least_a_second(number: float) -> float:
    """A time that can be kept."""
    if not 1 <= number < float("inf"):
        raise ValueError("must be at least 1")
    return number


def enough_for_decoding(megabytes: int) -> int:
    """What a child needs at least that looks at a video."""
    if megabytes < LEAST_MEMORY:
        raise ValueError(f"must be at least {LEAST_MEMORY}")
    return megabytes

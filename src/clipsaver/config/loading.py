"""One configuration from all sources: twin over alias over settings file over config.toml over shipped default."""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

import attrs
from attrs import frozen

from clipsaver.config import checks, names, sources
from clipsaver.config.model import Config
from clipsaver.config.reading import files, texts
from clipsaver.config.sources import Value
from clipsaver.errors import StartFailed

SETTINGS_SECTIONS = ("guild_defaults.", "jobs.")
"""What a settings file may hold."""
NONE = "none"
"""How a guild's setting is cleared, since TOML has no null."""


@frozen(kw_only=True)
class Key:
    """One thing that can be set."""

    name: str
    """Dotted, as in ``web.port``."""
    kind: Any
    """The type its value must have."""
    check: Callable[[Any], Any] | None
    """What looks at the value itself, and brings it into one form."""
    default: Any
    """The shipped one; None when there is none."""

    @property
    def twin(self) -> str:
        """The variable that sets it."""
        return names.twin(self.name)

    @property
    def also(self) -> tuple[str, ...]:
        """The variables that set it too."""
        return names.ALIASES.get(self.name, ())


def keys() -> dict[str, Key]:
    """Every key by its name, but for the open list of ``log.levels.<logger>``."""
    defaults = {
        name: value.raw for name, value in sources.leaves(sources.shipped(), source=sources.FILE_NAME, folder=Path())
    }
    closed = {key.name: key for key in _closed(Config, "", defaults)}
    opened = {
        name: Key(name=name, kind=_kind(name, raw), check=_open_check(name, raw), default=raw)
        for name, raw in defaults.items()
        if name.startswith(SETTINGS_SECTIONS)
    }
    return closed | opened


def _closed(cls: type[attrs.AttrsInstance], prefix: str, defaults: Mapping[str, Any]) -> Iterator[Key]:
    kinds = get_type_hints(cls)
    for attribute in attrs.fields(cls):
        name, kind = prefix + attribute.name, kinds[attribute.name]
        if attrs.has(kind):
            yield from _closed(kind, f"{name}.", defaults)
        elif getattr(kind, "__origin__", None) is not Mapping:
            check = attribute.converter if callable(attribute.converter) else None
            yield Key(name=name, kind=kind, check=check, default=defaults.get(name))


def _kind(name: str, raw: object) -> object:
    """The type of an open key, as its shipped default shows it; what guilds start with is checked closely by guilds."""
    if isinstance(raw, list):
        return list[str]
    if name.startswith("guild_defaults.") and not isinstance(raw, bool):
        if raw == NONE:
            return str | float | int
        return type(raw) if isinstance(raw, str) else float | int
    return type(raw)


def _open_check(name: str, raw: object) -> Callable[[Any], Any] | None:
    if name.endswith(".cron"):
        return checks.cron_expression
    return checks.whole_not_negative if type(raw) is int and name.startswith("jobs.") else None


def load(path: Path | None, environ: Mapping[str, str], cwd: Path) -> Config:
    """The configuration; raises StartFailed with the key's full name and its source if one can't be used."""
    known = keys()
    file = sources.find(path, environ, cwd)
    variables = sources.variables(environ, file, cwd)
    merged = _file_values(sources.shipped(), known, source=sources.FILE_NAME, folder=cwd)
    if file is not None:
        merged |= _file_values(sources.read(file), known, source=str(file), folder=file.parent)
    merged |= _settings(variables, known)
    merged |= dict(names.aliases(variables))
    merged |= dict(names.twins(variables, known))
    nested: dict[str, Any] = {"log": {"levels": {}}}
    for name, value in merged.items():
        _put(nested, name, _finished(_key(known, name, value), value))
    return files.structure(nested, Config)


def _file_values(
    content: Mapping[str, Any], known: Mapping[str, Key], *, source: str, folder: Path
) -> dict[str, Value]:
    found = names.renamed(sources.leaves(content, source=source, folder=folder))
    for name, value in found.items():
        if value.raw != {} or not _is_section(name, known):
            _key(known, name, value)
    return {name: value for name, value in found.items() if value.raw is not None and value.raw != {}}


def _settings(variables: Mapping[str, Value], known: Mapping[str, Key]) -> dict[str, Value]:
    """What the file named by DEFAULT_SETTINGS_PATH says; a guild's setting may stand there without its section."""
    named = variables.get(names.SETTINGS_FILE)
    if named is None:
        return {}
    path = named.folder / Path(named.raw.strip()).expanduser()
    content = {
        f"guild_defaults.{name}" if f"guild_defaults.{name}" in known else name: raw
        for name, raw in sources.read(path).items()
    }
    values = _file_values(content, known, source=str(path), folder=path.parent)
    for name in values:
        if not name.startswith(SETTINGS_SECTIONS):
            raise StartFailed(f"{name} in {path} is no setting of guilds or jobs: it belongs into {sources.FILE_NAME}.")
    return values


def _is_section(name: str, known: Mapping[str, Key]) -> bool:
    return f"{name}." == names.LEVELS or any(key.startswith(f"{name}.") for key in known)


def _key(known: Mapping[str, Key], name: str, value: Value) -> Key:
    if name in known:
        return known[name]
    if name.startswith(names.LEVELS):
        return Key(name=name, kind=str, check=checks.log_level, default=None)
    if _is_section(name, known):
        raise StartFailed(f"{name} in {value.source} must be a section with keys of its own.")
    close = get_close_matches(name, known, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    raise StartFailed(f"{name} in {value.source} is no key of the configuration.{hint}")


def _finished(key: Key, value: Value) -> Any:
    if key.name.startswith("guild_defaults.") and isinstance(value.raw, str) and value.raw.strip().lower() == NONE:
        return None
    try:
        structured = (texts if value.is_text else files).structure(value.raw, key.kind)
        checked = structured if key.check is None else key.check(structured)
    except (ValueError, TypeError) as error:
        where = f"{key.name} ({value.source})" if value.is_text else f"{key.name} in {value.source}"
        raise StartFailed(f"{where} {error}.") from None
    return Path.absolute(value.folder / checked.expanduser()) if isinstance(checked, Path) else checked


def _put(nested: dict[str, Any], name: str, value: object) -> None:
    """Set a dotted name in nested tables; the names of loggers keep their dots."""
    if name.startswith(names.LEVELS):
        nested["log"]["levels"][name.removeprefix(names.LEVELS)] = value
        return
    *sections, last = name.split(".")
    for section in sections:
        nested = nested.setdefault(section, {})
    nested[last] = value

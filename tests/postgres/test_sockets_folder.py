"""The private folder for the socket."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clipsaver.errors import StartFailed
from clipsaver.postgres import sockets_folder
from clipsaver.postgres.server import SOCKET
from clipsaver.postgres.sockets_folder import choose, is_private, make_private, noted, remove


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A database's folder; what was chosen for it is taken away afterwards."""
    made = tmp_path / "postgres"
    made.mkdir()
    yield made
    chosen = noted(made)
    if chosen is not None:
        remove(chosen, used=True)


def test_the_same_one_again(folder: Path) -> None:
    """Whoever joined finds the next owner's server in the same place."""
    first = choose(folder)
    assert first == noted(folder) == choose(folder)
    remove(first, used=False)
    assert first == choose(folder)
    assert is_private(first, folder)


def test_a_temporary_folder_with_a_long_path(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another is taken: a socket's path has a limit."""
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    chosen = choose(folder)
    assert long not in chosen.parents
    assert len(os.fsencode(chosen / SOCKET)) <= sockets_folder.LONGEST


def test_no_place_at_all(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence says what to set."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    monkeypatch.setattr(sockets_folder, "PLACES", ("/nowhere",))
    with pytest.raises(StartFailed, match="set TMPDIR"):
        choose(folder)


def test_notes_that_are_not_for_us(folder: Path, tmp_path: Path) -> None:
    """A copy's note, or no note at all, is no answer."""
    assert noted(tmp_path) is None
    (tmp_path / "socket").write_text(f"1:2\n{folder}")
    assert noted(tmp_path) is None
    (tmp_path / "socket").write_text("")
    assert noted(tmp_path) is None


def test_what_is_private(folder: Path) -> None:
    """A folder, no link to one, that only we can enter."""
    inside = folder / "s"
    assert not is_private(inside, folder)
    make_private(inside, folder)
    assert is_private(inside, folder)
    (folder / "link").symlink_to(inside)
    assert not is_private(folder / "link", folder)
    inside.chmod(0o750)
    with pytest.raises(PermissionError, match="Someone else can get to it"):
        make_private(inside, folder)


def test_removing_takes_nothing_else(folder: Path) -> None:
    """A folder with something of someone's in it stays."""
    inside = folder / "s"
    make_private(inside, folder)
    (inside / SOCKET).touch()
    remove(inside, used=False)
    assert (inside / SOCKET).exists()
    (inside / "other").touch()
    remove(inside, used=True)
    assert [path.name for path in inside.iterdir()] == ["other"]

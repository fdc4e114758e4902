"""The wheel is whole: it carries what it needs, and the demo runs where nothing else is."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
UV = os.environ.get("UV") or shutil.which("uv")


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a program to its end; what it printed."""
    kept = ("PATH", "HOME", "TMPDIR", "LANG", "SSL_CERT_FILE", "UV_DEFAULT_INDEX", "UV_CACHE_DIR", "SYSTEMROOT")
    clean = {name: os.environ[name] for name in kept if name in os.environ} | environment
    ended = subprocess.run(  # noqa: S603 - our own commands
        [str(part) for part in command],
        cwd=cwd,
        env=clean,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=480,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, as it would be released."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder, cwd=TOP)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_carries_what_the_program_reads(wheel: Path) -> None:
    """The schema and the configuration, as they are in the repository, and the command."""
    with zipfile.ZipFile(wheel) as files:
        for name in ("schema.sql", "config.toml"):
            assert files.read(f"clipsaver/{name}") == (TOP / name).read_bytes()
        (entry_points,) = (name for name in files.namelist() if name.endswith(".dist-info/entry_points.txt"))
        assert "clipsaver = clipsaver.__main__:main" in files.read(entry_points).decode()
        assert not [name for name in files.namelist() if name.startswith(("tests/", "bench/"))]


@pytest.mark.timeout(1500)
@pytest.mark.skipif(UV is None, reason="uv makes the clean environment, and is not here")
def test_the_demo_runs_where_nothing_else_is(wheel: Path, tmp_path: Path) -> None:
    """A clean environment with the pinned packages and the wheel, in an empty folder: everything there is found."""
    assert UV is not None
    python = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    empty = tmp_path / "empty"
    empty.mkdir()
    run(UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv", cwd=tmp_path)
    install = (UV, "pip", "install", "--quiet", "--python", python)
    run(*install, "--require-hashes", "--requirement", TOP / "requirements" / "run.txt", cwd=tmp_path)
    run(*install, "--no-deps", "--no-index", wheel, cwd=tmp_path)
    assert "clipsaver" in run(python, "-m", "clipsaver", "--help", cwd=empty)
    printed = run(python.with_name("clipsaver"), "demo", "--once", "--messages", "2000", cwd=empty)
    assert printed.strip()
    assert not list(empty.iterdir()), "the demo left something behind"

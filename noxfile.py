"""Everything that is run on this project: `nox` checks it, `nox -s demo` shows it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nox

HERE = Path(__file__).parent
REQUIREMENTS = ("run", "container", "tests", "bench", "lint", "types", "build")
SOURCES = {"run": ("pyproject.toml",), "container": ("pyproject.toml", "--extra=s3")}
"""What is pinned from the project itself: what it needs, and that with what buckets need."""
EXCHANGES = "exchanges"
"""Folder in nox's cache: what the tests and the simulated Discord said to each other."""

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.envdir = os.environ.get("NOX_ENVDIR", ".nox")
nox.options.sessions = ["lint", "types", "tests", "contract", "schema", "wheel"]

if sys.version_info < (3, 11):  # noqa: UP036 - nox itself runs on older ones
    sys.exit("clipsaver needs Python 3.11 or newer: make the virtual environment with one, then run nox from there.")

# Whatever Python runs nox runs the sessions: nothing is downloaded but packages.
os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")


def _setting_of_pip(name: str) -> str:
    """What pip is configured to use on this machine; empty if nothing."""
    asked = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "pip", "config", "get", f"global.{name}"], capture_output=True, text=True, check=False
    )
    return os.environ.get(f"PIP_{name.upper().replace('-', '_')}") or asked.stdout.strip()


def _follow_pip() -> None:
    """Let uv use the package index and the certificates that pip uses here; it doesn't read pip's settings."""
    for name, twins in {"index-url": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"), "cert": ("SSL_CERT_FILE",)}.items():
        if not any(twin in os.environ for twin in twins) and (value := _setting_of_pip(name)):
            os.environ[twins[0]] = value


def _install(session: nox.Session, *names: str, project: bool = True) -> None:
    """Make the session's environment hold exactly the pinned packages, and the project without asking for any other."""
    _follow_pip()
    files = [f"requirements/{name}.txt" for name in (*names, *(("build",) if project else ()))]
    session.run_install("uv", "pip", "sync", "--quiet", "--require-hashes", *files)
    if project:
        session.run_install(
            "uv", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--reinstall", "--editable", "."
        )


def _cache(session: nox.Session, name: str) -> Path:
    """A folder that lasts from one session to the next."""
    folder = Path(session.cache_dir).resolve() / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@nox.session
def lint(session: nox.Session) -> None:
    """Look at the source: style, spelling, who may import whom, the container's description."""
    _install(session, "lint", project=False)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check", "--diff")
    session.run("lint-imports", "--no-cache", env={"PYTHONPATH": "src"})
    session.run("codespell")
    session.run("hadolint", "Containerfile")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types, strictly."""
    _install(session, "run", "tests", "bench", "types")
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, measure which branches they reach, and record what was said to the simulated Discord."""
    _install(session, "run", "tests")
    exchanges = _cache(session, EXCHANGES)
    shutil.rmtree(exchanges)
    exchanges.mkdir()
    session.run(
        "pytest",
        *("--ignore=tests/contract", "--ignore=tests/schema", "--ignore=tests/wheel"),
        *("--numprocesses=auto", "--maxprocesses=4", "--cov", "--cov-report=term-missing:skip-covered"),
        *session.posargs,
        env={"CLIPSAVER_EXCHANGES": str(exchanges), "COVERAGE_FILE": str(_cache(session, "coverage") / "data")},
    )


@nox.session
def contract(session: nox.Session) -> None:
    """Check what the tests recorded, both directions, against Discord's own description of its API."""
    description = Path(os.environ.get("CLIPSAVER_TEST_OPENAPI") or HERE / "../shared/discord-openapi.json").resolve()
    if not description.is_file():
        session.skip("Discord's OpenAPI description is not here; CLIPSAVER_TEST_OPENAPI says where it is")
    _install(session, "run", "tests")
    session.run(
        "pytest",
        "tests/contract",
        *session.posargs,
        env={"CLIPSAVER_TEST_OPENAPI": str(description), "CLIPSAVER_EXCHANGES": str(_cache(session, EXCHANGES))},
    )


@nox.session
def schema(session: nox.Session) -> None:
    """Apply the schema twice and over older ones; prepare every statement; look at the plans of the hot ones."""
    _install(session, "run", "tests")
    session.run("pytest", "tests/schema", *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it where nothing else is, and run the demo from there."""
    _install(session, "run", "tests")
    beside_nox = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    session.run("pytest", "tests/wheel", *session.posargs, env={"UV": shutil.which("uv", path=beside_nox) or "uv"})


@nox.session(default=False)
def demo(session: nox.Session) -> None:
    """Watch the bot find every clip of a made-up server: no Discord account and no database needed."""
    _install(session, "run")
    session.run("clipsaver", "demo", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure speed, limits, answers, 500 servers, fairness, saving, pictures; `-- --short` takes about two minutes."""
    _install(session, "run", "bench")
    session.run("python", "-m", "bench", f"--json={_cache(session, 'bench') / 'bench.json'}", *session.posargs)


@nox.session(default=False)
def soak(session: nox.Session) -> None:
    """Look at 2,000 broken videos; run the demo over a world that takes a while, under Discord's limits."""
    _install(session, "run", "tests")
    session.run("pytest", "tests/media/probe/test_mutated.py", env={"CLIPSAVER_TEST_MUTATIONS": "2000"})
    session.run("clipsaver", "demo", "--once", "--rate-limits", "--channels=50", "--messages=20000", *session.posargs)


@nox.session(default=False)
def requirements(session: nox.Session) -> None:
    """Pin everything anew, with hashes, for all platforms, and without the address of any package index."""
    _follow_pip()
    for name in REQUIREMENTS:
        session.run_install(
            *("uv", "pip", "compile", "--quiet", "--universal", "--python-version=3.11", "--generate-hashes"),
            *("--no-emit-index-url", "--no-header", "--no-annotate", *session.posargs),
            *SOURCES.get(name, (f"requirements/{name}.in",)),
            f"--output-file=requirements/{name}.txt",
        )

"""Storages of every kind, each in a place of its own."""

import itertools
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from attrs import frozen

from clipsaver.media.storage import Storage, open_storage

NUMBERS = itertools.count()
SERVING = Path(__file__).parent / "serving.py"


@frozen
class Stores:
    """Object stores in a process of their own."""

    s3: str
    azure: str

    def url(self, kind: str, *, prefix: str = "/below/it", bucket: str | None = None) -> str:
        """A `storage.url` in a new bucket."""
        bucket = bucket or self.bucket(kind)
        endpoint = self.azure if kind == "az" else self.s3
        more = {"s3": "&region=eu-central-1", "az": "&account=someone", "gs": ""}[kind]
        return f"{kind}://{bucket}{prefix}?endpoint={endpoint}{more}"

    def bucket(self, kind: str) -> str:
        """A new bucket."""
        name = f"bucket{next(NUMBERS)}"
        ask("PUT", f"{self.azure}/{name}?restype=container" if kind == "az" else f"{self.s3}/{name}")
        return name


def ask(method: str, url: str, **headers: str) -> str:
    """What a server on loopback answers."""
    with urlopen(Request(url, method=method, headers=headers), timeout=30) as answer:  # noqa: S310 - http, and ours
        return str(answer.read().decode("utf-8", errors="replace"))


def fetch(url: str) -> tuple[bytes, Mapping[str, str]]:
    """What anybody gets there, and what is said about it."""
    with urlopen(url, timeout=30) as answer:  # noqa: S310 - http, and ours
        return answer.read(), answer.headers


@pytest.fixture(scope="session")
def stores() -> Iterator[Stores]:
    """The run's object stores."""
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, str(SERVING)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        while not line.strip().replace(" ", "").isdigit():  # moto greets on its own
            assert line, "the object stores did not start"
            line = process.stdout.readline()
        s3, azure = line.split()
        yield Stores(f"http://127.0.0.1:{s3}", f"http://127.0.0.1:{azure}")


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made-up keys where each client looks for them, and none of the machine's own settings."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "GOOGLE_BEARER_TOKEN": "token",
        "AZURE_STORAGE_ACCOUNT_KEY": "a2V5",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=["file", "s3", "gs", "az"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A `storage.url` of each kind in turn."""
    if request.param == "file":
        return f"file://{tmp_path}/far/away"
    request.getfixturevalue("keys")
    stores: Stores = request.getfixturevalue("stores")
    return stores.url(request.param)


@pytest.fixture
async def storage(url: str, tmp_path: Path) -> AsyncIterator[Storage]:
    """A storage of each kind in turn."""
    async with await open_storage(url, data_dir=tmp_path / "data") as opened:
        yield opened


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Storage]:
    """A storage on the disk."""
    async with await open_storage("", data_dir=tmp_path) as opened:
        yield opened


@pytest.fixture
async def s3(stores: Stores, keys: None, tmp_path: Path) -> AsyncIterator[Storage]:
    """A storage in a bucket of S3."""
    async with await open_storage(stores.url("s3"), data_dir=tmp_path) as opened:
        yield opened

"""Links that Google and Azure let anybody fetch from for a while: signed with made-up keys, without asking anybody."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from clipsaver.media.storage import blob_name, open_storage
from tests.media.storage.bytes_in import sha256
from tests.media.storage.scripted import scripted

NAME = blob_name(sha256(b"clip"))
A_WHILE = timedelta(minutes=5)
EMAIL = "clips@project.iam.gserviceaccount.com"
GOOGLE = "gs://clips/below/it"
AZURE = "az://clips/below/it?account=someone"
OF_AZURE = ("st", "se", "sv", "sr", "sp")


async def link_to(url: str, tmp_path: Path) -> str | None:
    """The link to a blob, asked for with a name and a type that only S3's links can carry; nothing is connected to."""
    async with await open_storage(url, data_dir=tmp_path, writing=False) as storage:
        return await storage.signed_link(NAME, expires=A_WHILE, filename="x.mp4", content_type="video/mp4")


def split(link: str | None) -> tuple[str, dict[str, str]]:
    """The address, and what is asked for with it."""
    assert link is not None
    parts = urlsplit(link)
    return parts._replace(query="").geturl(), dict(parse_qsl(parts.query, strict_parsing=True))


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RSAPublicKey:
    """A service account's key where Google's clients look for it; what its signatures are verified with."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    said = {
        "type": "service_account",
        "client_email": EMAIL,
        "private_key_id": "1",
        "private_key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    }
    file = tmp_path / "account.json"
    file.write_text(json.dumps(said))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    for name in ("GOOGLE_BEARER_TOKEN", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_KEY"):
        monkeypatch.delenv(name, raising=False)
    return key.public_key()


async def test_google(google: RSAPublicKey, tmp_path: Path) -> None:
    """As Google's documents have it ("V4 signing process"): with the account's key, for this object and this long."""
    address, query = split(await link_to(GOOGLE, tmp_path))
    assert f"https://storage.googleapis.com/clips/below/it/{NAME}" == address
    signature = bytes.fromhex(query.pop("X-Goog-Signature"))
    scope = f"{query['X-Goog-Date'][:8]}/auto/storage/goog4_request"
    assert {
        "X-Goog-Algorithm": "GOOG4-RSA-SHA256",
        "X-Goog-Credential": f"{EMAIL}/{scope}",
        "X-Goog-Date": query["X-Goog-Date"],
        "X-Goog-Expires": "300",
        "X-Goog-SignedHeaders": "host",
    } == query
    asked = "&".join(f"{key}={quote(value, safe='')}" for key, value in sorted(query.items()))
    path = urlsplit(address).path
    request = f"GET\n{path}\n{asked}\nhost:storage.googleapis.com\n\nhost\nUNSIGNED-PAYLOAD"
    hashed = hashlib.sha256(request.encode()).hexdigest()
    signed = "\n".join(("GOOG4-RSA-SHA256", query["X-Goog-Date"], scope, hashed))
    google.verify(signature, signed.encode(), PKCS1v15(), SHA256())  # raises if it is another's


@pytest.mark.usefixtures("keys")
async def test_azure(tmp_path: Path) -> None:
    """As Azure's documents have it ("Create a service SAS"): reading this blob, this long, with the account's key."""
    before = datetime.now(UTC).replace(microsecond=0)
    address, query = split(await link_to(AZURE, tmp_path))
    assert f"https://someone.blob.core.windows.net/clips/below/it/{NAME}" == address
    signature = base64.b64decode(query.pop("sig"))
    assert {*OF_AZURE} == query.keys()
    assert ("b", "r") == (query["sr"], query["sp"])
    begun, ended = datetime.fromisoformat(query["st"]), datetime.fromisoformat(query["se"])
    assert before <= begun <= datetime.now(UTC)
    assert ended - begun == A_WHILE
    resource = f"/blob/someone{unquote(urlsplit(address).path)}"
    signed = ["r", query["st"], query["se"], resource, "", "", "", query["sv"], "b", *[""] * 7]
    assert hmac.digest(b"key", "\n".join(signed).encode(), "sha256") == signature


@pytest.mark.usefixtures("keys")
async def test_google_without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose account nobody knows can sign nothing: there is no link, and that is no error."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with scripted(lambda _: (404, b"")) as machine:
        for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP"):
            monkeypatch.setenv(name, machine.url.removeprefix("http://"))
        assert None is await link_to(GOOGLE, tmp_path)
        assert any("service-accounts/default/email" in asked for asked in machine.asked)


async def test_azure_without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was only let in by a signature can make no other: there is no link, and that is no error."""
    for name in ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "sv=2023-11-03&sp=rl&sig=bm9uZQ%3D%3D")
    assert None is await link_to(AZURE, tmp_path)

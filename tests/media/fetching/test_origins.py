"""Which links may be followed."""

import pytest

from clipsaver.media.fetching.errors import Refused
from clipsaver.media.fetching.origins import Origins

LINK = "https://cdn.example/attachments/1/2/a%20b.mp4?ex=6a&is=69&hm=5ec4e7&"
NAMED = ["https://cdn.example", "https://media.example:8443", "http://127.0.0.1:9000", "http://[::1]:9000/"]


@pytest.fixture
def origins() -> Origins:
    """Two of Discord's and two of our own."""
    return Origins.of(NAMED)


@pytest.mark.parametrize(
    ("link", "origin"),
    [
        (LINK, "https://cdn.example"),
        ("https://CDN.example:443/x", "https://cdn.example"),
        ("https://media.example:8443/x", "https://media.example:8443"),
        ("http://127.0.0.1:9000/x", "http://127.0.0.1:9000"),
        ("http://[::1]:9000/x", "http://[::1]:9000"),
        ("https://cdn.example/\u00e4.mp4", "https://cdn.example"),
    ],
)
def test_named_origins_are_permitted(origins: Origins, link: str, origin: str) -> None:
    """However they are written."""
    assert str(origins.permit(link).origin) == origin


def test_a_link_is_not_touched(origins: Origins) -> None:
    """The signature is over all of it."""
    assert str(origins.permit(LINK).url) == LINK


@pytest.mark.parametrize(
    "link",
    [
        "http://cdn.example/x",
        "https://cdn.example:8443/x",
        "https://cdn.example./x",
        "https://cdn.example.evil.example/x",
        "https://evil.example/https://cdn.example/x",
        "https://cdn.example@evil.example/x",
        "https://user:secret@cdn.example/x",
        "https://user@cdn.example/x",
        "https://evil.example#@cdn.example/x",
        "https://evil.example\\@cdn.example/x",
        "https://cdn.example\\.evil.example/x",
        "https://cdn.example/x y",
        "https://cdn.example/x\r\nHost: evil.example",
        "https://cdn.example\t.evil.example/",
        "http://localhost:9000/x",
        "http://2130706433:9000/x",
        "http://127.1:9000/x",
        "http://0177.0.0.1:9000/x",
        "http://[::ffff:127.0.0.1]:9000/x",
        "http://[::1%25lo]:9000/x",
        "ftp://cdn.example/x",
        "file:///etc/passwd",
        "//cdn.example/x",
        "/attachments/1/2/x.mp4",
        "https:///x",
        "https://cdn.example:99999/x",
        "https://cdn.example:x/x",
        "https://[::1/x",
        "",
        "https://cdn.example/" + "x" * 5000,
    ],
)
def test_nothing_else_is(origins: Origins, link: str) -> None:
    """And no part of the link but the origin is in what is said about it."""
    with pytest.raises(Refused) as refused:
        origins.permit(link)
    assert refused.value.permanent
    assert not refused.value.blames_origin
    assert "secret" not in refused.value.message
    assert "/x" not in refused.value.message


@pytest.mark.parametrize("named", ["http://169.254.169.254", "http://0.0.0.0:80", "https://[fe80::1]"])
def test_an_address_that_leads_nowhere_good_is_refused_even_if_named(named: str) -> None:
    """Metadata and link-local addresses."""
    with pytest.raises(Refused):
        Origins.of([named]).permit(f"{named}/x")


@pytest.mark.parametrize("text", ["cdn.example", "ftp://cdn.example", "https://", "https://x:99999"])
def test_what_is_no_origin_can_not_be_named(text: str) -> None:
    """The configuration refuses it before."""
    with pytest.raises(ValueError):  # noqa: PT011 - yarl has words of its own for some
        Origins.of([text])


def test_which_origins_may_be_private() -> None:
    """Plain http, addresses and localhost: whoever names them means them."""
    named = ["https://cdn.example", "http://minio", "https://localhost", "https://10.0.0.1"]
    assert dict(Origins.of(named).hosts()) == {
        ("cdn.example", 443): False,
        ("minio", 80): True,
        ("localhost", 443): True,
        ("10.0.0.1", 443): True,
    }


@pytest.mark.parametrize(
    ("location", "leads_to"),
    [
        ("/other?x=1", "https://cdn.example/other?x=1"),
        ("b.mp4", "https://cdn.example/attachments/1/2/b.mp4"),
        ("https://media.example:8443/y?hm=1%2B&", "https://media.example:8443/y?hm=1%2B&"),
        ("//cdn.example/z", "https://cdn.example/z"),
        ("/\u00e4", "https://cdn.example/%C3%A4"),
    ],
)
def test_redirects_to_named_origins_are_followed(origins: Origins, location: str, leads_to: str) -> None:
    """Wherever in them."""
    assert str(origins.follow(origins.permit(LINK), location).url) == leads_to


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:9000/x",
        "http://169.254.169.254/latest/meta-data",
        "http://cdn.example/x",
        "https://evil.example/x?hm=secret",
        "//evil.example/x",
        "file:///etc/passwd",
        "http://[::1/",
        "https://cdn.example:x/",
    ],
)
def test_no_other_redirect_is(origins: Origins, location: str) -> None:
    """Not even from outside to a named origin of our own."""
    with pytest.raises(Refused) as refused:
        origins.follow(origins.permit(LINK), location)
    assert refused.value.permanent
    assert "secret" not in refused.value.message


def test_from_an_own_origin_to_another_one_is_well(origins: Origins) -> None:
    """Or to one outside."""
    own = origins.permit("http://127.0.0.1:9000/x")
    for location in ("http://[::1]:9000/y", LINK):
        assert str(origins.follow(own, location).url) == location

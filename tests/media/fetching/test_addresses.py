"""Which addresses may be connected to."""

import socket
from collections.abc import Sequence

import pytest

from clipsaver.media.fetching.addresses import CheckedResolver, allowed, system_lookup
from clipsaver.media.fetching.errors import Refused

PUBLIC = ["162.159.130.233", "8.8.8.8", "2606:4700::6812:a1f", "::ffff:8.8.8.8", "64:ff9b::808:808"]
OWN = [
    "127.0.0.1",
    "127.9.9.9",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.255",
    "::1",
    "fd12:3456::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
]
NEVER = [
    "0.0.0.0",  # noqa: S104 - nothing listens there
    "::",
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "169.254.1.1",
    "100.100.100.200",
    "168.63.129.16",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "224.0.0.1",
    "ff02::1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.88.99.1",
    "2001:db8::1",
    "2001::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "3fff::1",
    "64:ff9b:1::1",
    "::7f00:1",
    "100::1",
    "2130706433",
    "127.1",
    "localhost",
    "",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    """To every origin."""
    assert allowed(address, own=False)
    assert allowed(address, own=True)


@pytest.mark.parametrize("address", OWN)
def test_loopback_and_private_ones_are_allowed_where_named(address: str) -> None:
    """In whatever form they are written."""
    assert not allowed(address, own=False)
    assert allowed(address, own=True)


@pytest.mark.parametrize("address", NEVER)
def test_other_ones_never_are(address: str) -> None:
    """Link-local, metadata, multicast, reserved, tunnels with anything inside, and what is no address."""
    assert not allowed(address, own=False)
    assert not allowed(address, own=True)


class Names:
    """A name server whose answers change each time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, _host: str, _port: int) -> Sequence[str]:
        """The next answer."""
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


def resolver(names: Names) -> CheckedResolver:
    """One that knows an origin of Discord's and one of our own."""
    return CheckedResolver({("cdn.example", 443): False, ("own.example", 80): True}, names)


async def test_what_was_checked_is_what_is_returned() -> None:
    """Both families, each once, as addresses that nobody looks up again."""
    found = await resolver(Names(["8.8.8.8", "8.8.8.8", "2606:4700::1"])).resolve("cdn.example", 443)
    assert [(one["host"], one["family"], one["port"]) for one in found] == [
        ("8.8.8.8", socket.AF_INET, 443),
        ("2606:4700::1", socket.AF_INET6, 443),
    ]
    assert all(one["flags"] & socket.AI_NUMERICHOST and one["hostname"] == "cdn.example" for one in found)
    only = await resolver(Names(["8.8.8.8", "2606:4700::1"])).resolve("cdn.example", 443, socket.AF_INET)
    assert [one["host"] for one in only] == ["8.8.8.8"]


@pytest.mark.parametrize("bad", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fe80::1"])
async def test_one_bad_address_refuses_all(bad: str) -> None:
    """Whichever would have been connected to; it may pass, so it is not final."""
    with pytest.raises(Refused) as refused:
        await resolver(Names(["8.8.8.8", bad])).resolve("cdn.example", 443)
    assert (refused.value.permanent, refused.value.blames_origin) == (False, True)
    assert bad not in refused.value.message


async def test_an_origin_of_ones_own_may_be_private() -> None:
    """But not at a cloud's metadata."""
    found = await resolver(Names(["192.168.1.5"])).resolve("own.example", 80)
    assert [one["host"] for one in found] == ["192.168.1.5"]
    with pytest.raises(Refused):
        await resolver(Names(["169.254.169.254"])).resolve("own.example", 80)


async def test_no_other_host_is_looked_up() -> None:
    """Nor another port of a known one."""
    names = Names(["8.8.8.8"])
    for host, port in (("evil.example", 443), ("cdn.example", 80)):
        with pytest.raises(Refused):
            await resolver(names).resolve(host, port)
    assert names.asked == 0


async def test_a_host_without_addresses_can_not_be_reached() -> None:
    """An OSError, as from the system."""
    checked = resolver(Names([]))
    with pytest.raises(OSError, match="no address"):
        await checked.resolve("cdn.example", 443)
    await checked.close()


async def test_the_system_is_asked() -> None:
    """It knows localhost."""
    assert set(await system_lookup("localhost", 80)) <= {"127.0.0.1", "::1"}

"""Which addresses may be connected to, and the resolver that lets no other through.

aiohttp connects to what its resolver returns and looks nothing up again, so what was checked is what is connected to:
a name that resolves to something else a moment later changes nothing.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from clipsaver.media.fetching.errors import Refused

Address = IPv4Address | IPv6Address
Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""A host's addresses; raises OSError."""

MOST: Final = 64
"""Addresses of one host."""
MAPPED_BY_NAT64: Final = IPv6Network("64:ff9b::/96")
UNICAST: Final = IPv6Network("2000::/3")
"""All of IPv6 that is routed on the internet (IANA: IPv6 Global Unicast Address Space)."""
NOT_PUBLIC: Final = (
    IPv4Network("168.63.129.16/32"),  # Azure's own, inside a public range
    IPv4Network("192.0.0.0/24"),  # protocols' own
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
    IPv6Network("2001::/23"),  # protocols' own, Teredo among them
    IPv6Network("2001:db8::/32"),
    IPv6Network("2002::/16"),  # 6to4: any IPv4 address inside
    IPv6Network("3fff::/20"),
)
OWN: Final = (
    IPv4Network("127.0.0.0/8"),
    IPv4Network("10.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv4Network("100.64.0.0/10"),
    IPv6Network("::1/128"),
    IPv6Network("fc00::/7"),
)
"""Where an origin of one's own may be."""
METADATA: Final = frozenset({IPv4Address("100.100.100.200"), IPv6Address("fd00:ec2::254")})
"""Where clouds hand out credentials inside those; the usual 169.254.169.254 is link-local and in none of them."""


def allowed(text: str, *, own: bool) -> bool:
    """Whether an address is public, or one's own where that is asked for; never link-local or a cloud's metadata."""
    try:
        address = _unwrapped(ip_address(text))
    except ValueError:
        return False
    if address in METADATA:
        return False
    return _public(address) or (own and any(address in network for network in OWN))


def _unwrapped(address: Address) -> Address:
    """The IPv4 address inside of an IPv6 one that is only a wrapping."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in MAPPED_BY_NAT64 else address


def _public(address: Address) -> bool:
    if any(address in network for network in NOT_PUBLIC):
        return False
    if isinstance(address, IPv6Address):
        return address in UNICAST and address.is_global
    return address.is_global and not address.is_multicast and not address.is_reserved


async def system_lookup(host: str, port: int) -> Sequence[str]:
    """What the system says, its hosts file included."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
    )
    return [str(sockaddr[0]) for *_, sockaddr in found]


class CheckedResolver(AbstractResolver):
    """Resolves the hosts of known origins, and refuses a host when any of its addresses is not allowed."""

    def __init__(self, own: Mapping[tuple[str, int], bool], lookup: Lookup = system_lookup) -> None:
        self._own = own
        """For each known host and port, whether it may be at an address of one's own."""
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """All addresses of a host; raises Refused, and OSError where there are none."""
        own = self._own.get((host, port))
        if own is None:
            raise Refused("The address belongs to no origin that files are fetched from.", permanent=True)
        found = list(dict.fromkeys(await self._lookup(host, port)))[:MOST]
        if not found:
            raise OSError(f"no address for {host}")
        if not all(allowed(one, own=own) for one in found):
            raise Refused(f"{host} is at an address that is private or reserved: look at the name server.")
        return [
            {
                "hostname": host,
                "host": one,
                "port": port,
                "family": socket.AF_INET6 if ":" in one else socket.AF_INET,
                "proto": socket.IPPROTO_TCP,
                "flags": socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            }
            for one in found
            if family in {socket.AF_UNSPEC, socket.AF_INET6 if ":" in one else socket.AF_INET}
        ]

    async def close(self) -> None:
        """Nothing is held."""

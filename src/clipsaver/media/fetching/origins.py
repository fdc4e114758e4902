"""The origins that files may be fetched from, and what in a link is taken for one."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Final, Self

from attrs import frozen
from yarl import URL

from clipsaver.media.fetching.addresses import allowed
from clipsaver.media.fetching.errors import Refused

LONGEST: Final = 4_096
"""Characters of a link; Discord's have about 200."""
SCHEMES: Final = frozenset({"http", "https"})


@frozen
class Origin:
    """Scheme, host and port."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        standard = {"http": 80, "https": 443}[self.scheme]
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" if self.port == standard else f"{self.scheme}://{host}:{self.port}"

    @property
    def own(self) -> bool:
        """Whether it may be at a loopback or private address: plain http, or named by its address."""
        return self.scheme == "http" or _literal(self.host) or self.host == "localhost"

    @property
    def connectable(self) -> bool:
        """False where it is named by an address that nothing may be fetched from; names are looked at when resolved."""
        return not _literal(self.host) or allowed(self.host, own=True)


@frozen
class Target:
    """A link that may be followed."""

    origin: Origin
    url: URL


@frozen
class Origins:
    """The origins that were named."""

    named: frozenset[Origin]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """From their texts, such as ``https://cdn.discordapp.com``; raises ValueError."""
        return cls(frozenset(_origin(URL(text)) for text in texts))

    def hosts(self) -> Mapping[tuple[str, int], bool]:
        """For each host and port, whether it may be at an address of one's own."""
        return {(one.host, one.port): one.own for one in self.named}

    def permit(self, link: str) -> Target:
        """A link of one of these origins, with its path and query untouched; raises Refused."""
        if len(link) > LONGEST or not link.isprintable() or " " in link or "\\" in link:
            raise Refused("The link is none that a file can be fetched from.", permanent=True)
        try:
            url = URL(link, encoded=link.isascii())
            origin = _origin(url)
        except ValueError:
            raise Refused("The link is none that a file can be fetched from.", permanent=True) from None
        if url.raw_user is not None or url.raw_password is not None or origin not in self.named:
            raise Refused(
                f"{origin} is not among the origins that files are fetched from (discord.media_origins).",
                permanent=True,
            )
        if not origin.connectable:
            raise Refused(f"{origin} is at an address that nothing is fetched from.", permanent=True)
        return Target(origin, url)

    def follow(self, target: Target, location: str) -> Target:
        """Where a redirect leads, if that is a named origin as well; never from outside to one of one's own."""
        try:
            link = str(target.url.join(URL(location, encoded=location.isascii())))
            found = self.permit(link)
        except (Refused, ValueError):
            found = None
        if found is None or (found.origin.own and not target.origin.own):
            raise Refused(f"{target.origin} sends us elsewhere, where nothing is fetched from.", permanent=True)
        return found


def _origin(url: URL) -> Origin:
    host, port = url.raw_host, url.port
    if url.scheme not in SCHEMES or not host or not port:
        raise ValueError("no origin")
    return Origin(url.scheme, host.lower(), port)


def _literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

"""Fetches files: each origin with its own connections and its own breaker, all of them within one set of bounds."""

import asyncio
import ssl
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Self

import aiohttp
from attrs import define, field

from clipsaver.media.fetching import answers
from clipsaver.media.fetching.addresses import CheckedResolver, Lookup, system_lookup
from clipsaver.media.fetching.download import Download, Fetched, Sink
from clipsaver.media.fetching.errors import Busy, Cause, Interrupted, LinkDead, Refused, TooLarge
from clipsaver.media.fetching.limits import KIB, Limits, Pace
from clipsaver.media.fetching.origins import Origin, Origins, Target
from clipsaver.media.fetching.rest import Rest

NAMES_KEPT = 60
"""Seconds for which a host's addresses are used again."""


@define(eq=False)
class _Host:
    """An origin, as it is used."""

    rest: Rest
    slots: asyncio.Semaphore


@define(eq=False)
class Fetcher:
    """Fetches from these origins and no others; an async context manager."""

    origins: Iterable[str]
    """Such as ``https://cdn.discordapp.com``; a plain-http or loopback one is trusted to be at a private address."""
    limits: Limits = field(factory=Limits, kw_only=True)
    user_agent: str = field(default="clipsaver", kw_only=True)
    lookup: Lookup = field(default=system_lookup, kw_only=True)
    tls: ssl.SSLContext | None = field(default=None, kw_only=True)
    """What certificates are checked with, if not with the system's."""
    _origins: Origins = field(init=False)
    _hosts: Mapping[Origin, _Host] = field(init=False)
    _slots: asyncio.Semaphore = field(init=False)
    _session: aiohttp.ClientSession | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._origins = Origins.of(self.origins)
        self._hosts = {
            one: _Host(Rest(origin=str(one), limits=self.limits), asyncio.Semaphore(self.limits.per_origin))
            for one in self._origins.named
        }
        self._slots = asyncio.Semaphore(self.limits.connections)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                resolver=CheckedResolver(self._origins.hosts(), self.lookup),
                ttl_dns_cache=NAMES_KEPT,
                ssl=True if self.tls is None else self.tls,
            ),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.limits.connect),
            headers={"User-Agent": self.user_agent},
            cookie_jar=aiohttp.DummyCookieJar(),
            # No proxy, and no .netrc: a proxy would look names up itself, and what was checked here would mean nothing.
            trust_env=False,
            auto_decompress=False,
            read_bufsize=256 * KIB,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def rests(self) -> Mapping[str, float]:
        """The origins that are left alone just now, and for how many seconds."""
        return {str(origin): host.rest.left for origin, host in self._hosts.items() if host.rest.left}

    def lets_begin(self) -> int:
        """How many downloads may begin just now: none while every origin that is in use rests, or is being tried."""
        return max(
            (host.rest.lets_begin for host in self._hosts.values() if host.rest.in_use),
            default=self.limits.connections,
        )

    async def fetch(
        self, url: str, sink: Sink, *, expected_size: int | None, largest: int, validator: str | None = None
    ) -> Fetched:
        """Bring a whole file into a sink; raises one of ``errors``, and whatever the sink raises.

        ``expected_size`` is what the attachment says. A sink that holds something already, from an earlier
        ``Interrupted``, is filled up if that error's ``validator`` comes along, and else emptied first. After any
        error but ``Interrupted`` and ``Busy`` nothing in the sink is of use.
        """
        if expected_size is not None and expected_size > largest:
            raise TooLarge(expected_size, largest)
        target = self._origins.permit(url)
        size = largest if expected_size is None else expected_size
        download = Download(
            sink=sink,
            expected_size=expected_size,
            largest=largest,
            pace=Pace(limits=self.limits, size=size),
            validator=validator,
        )
        for _ in range(self.limits.redirects + 1):
            found = await self._visit(target, download)
            if isinstance(found, Fetched):
                return found
            target = found
        raise Refused(f"{target.origin} sends us round in circles.", permanent=True)

    async def _visit(self, target: Target, download: Download) -> Fetched | Target:
        """All that is asked of one address, in one of its origin's places; another one where it redirects."""
        host = self._hosts[target.origin]
        async with host.slots, self._slots:
            with host.rest.attempt():
                download.answered = host.rest.answered
                return await self._persist(target, download)

    async def _persist(self, target: Target, download: Download) -> Fetched | Target:
        """Go on where the connection broke off, a few times."""
        resumed = 0
        while True:
            before = download.sink.offset
            try:
                found = await self._exchange(target, download)
            except Interrupted as error:
                if resumed == self.limits.resumes or not _worth_going_on(error, before, download.sink.offset):
                    raise
            else:
                if found is not None:
                    return found
                continue
            await asyncio.sleep(self.limits.pause * 2**resumed)
            resumed += 1

    async def _exchange(self, target: Target, download: Download) -> Fetched | Target | None:
        """One request and what its answer says; None when another one is needed."""
        headers = await download.headers()
        response = await self._ask(target, download, headers)
        try:
            status = response.status
            if status in {answers.OK, answers.PARTIAL}:
                return await download.take(response, target)
            if status in answers.REDIRECTS and "Location" in response.headers:
                return self._origins.follow(target, response.headers["Location"])
            if status in answers.DEAD:
                raise LinkDead(str(target.origin))
            if status in answers.BUSY:
                seconds = answers.retry_after(response.headers, datetime.now(UTC))
                rest = self._hosts[target.origin].rest
                raise Busy(str(target.origin), seconds or rest.backoff())
            if status == answers.NOT_SATISFIABLE and "Range" in headers:
                await download.begin_again(target)
                return None
            return download.interrupted(target, "status", status=status)
        finally:
            response.close()  # an answer that was read to its end has given its connection back already

    async def _ask(self, target: Target, download: Download, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError("A file was asked for outside of the fetcher's context.")
        began = time.monotonic()
        cause: Cause
        # What aiohttp raises can have the whole link in its text: none of it may become an error's context.
        try:
            async with asyncio.timeout(download.pace.patience):
                return await self._session.get(target.url, headers=headers, allow_redirects=False)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            cause = "unreachable"
        except TimeoutError:
            cause = "stalled"
        except (aiohttp.ClientError, OSError):
            cause = "broken"
        finally:
            download.pace.waited(time.monotonic() - began)
        return download.interrupted(target, cause)


def _worth_going_on(error: Interrupted, before: int, now: int) -> bool:
    """Whether to ask again at once: the connection broke or stood still, and either all or nothing is to be kept."""
    if error.cause == "broken":
        return error.validator is not None or now == 0
    return error.cause == "stalled" and error.validator is not None and now > before

"""A plain HTTP client of a simulator, for the tests of this folder."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Self

import aiohttp
from attrs import define, field, frozen

from clipsaver.simulator.server import Simulator


@frozen
class Answer:
    """What a simulator answered."""

    status: int
    headers: Mapping[str, str]
    body: Any
    """JSON where it is some, else text."""

    @property
    def code(self) -> int:
        """Discord's error code."""
        return int(self.body["code"])

    def ids(self) -> list[int]:
        """The ids of a list of objects."""
        return [int(one["id"]) for one in self.body]


@define
class Client(AbstractAsyncContextManager["Client"]):
    """Asks as the bot."""

    simulator: Simulator
    _session: aiohttp.ClientSession = field(init=False)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers={"Authorization": f"Bot {self.simulator.token}"})
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """One request; paths are below the API's base, full addresses are taken as they are."""
        url = path if path.startswith("http") else self.simulator.rest_url + path
        async with self._session.request(method, url, **options) as response:
            raw = await response.read()
            body = await response.json() if raw and response.content_type == "application/json" else raw
            return Answer(response.status, response.headers.copy(), body)

    async def get(self, path: str, **options: Any) -> Answer:
        """A GET."""
        return await self.ask("GET", path, **options)

    async def post(self, path: str, **options: Any) -> Answer:
        """A POST."""
        return await self.ask("POST", path, **options)

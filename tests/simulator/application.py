"""An application without a library: hears interactions from the world and answers them over REST."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Self

from attrs import define, field

from tests.simulator.client import Answer, Client

Handler = Callable[["Asked"], Awaitable[object]]


@define
class Asked:
    """One interaction, and ways to answer it."""

    payload: dict[str, Any]
    client: Client

    @property
    def data(self) -> dict[str, Any]:
        """The interaction's data."""
        data: dict[str, Any] = self.payload["data"]
        return data

    @property
    def webhook(self) -> str:
        """The path of its webhook."""
        return f"/webhooks/{self.payload['application_id']}/{self.payload['token']}"

    async def callback(self, kind: int, data: Any = None, **options: Any) -> Answer:
        """A first answer."""
        path = f"/interactions/{self.payload['id']}/{self.payload['token']}/callback"
        return await self.client.post(path, json={"type": kind, "data": data}, **options)

    async def say(self, content: str, **more: Any) -> Answer:
        """Answer with a message."""
        return await self.callback(4, {"content": content, **more})

    async def edit(self, message_id: str = "@original", **body: Any) -> Answer:
        """Edit a message."""
        return await self.client.ask("PATCH", f"{self.webhook}/messages/{message_id}", json=body)

    async def follow_up(self, **body: Any) -> Answer:
        """One more message."""
        return await self.client.post(self.webhook, json=body)


@define
class App:
    """Answers each interaction with its current handler; errors of handlers surface at the end."""

    client: Client
    handler: Handler | None = None
    asked: list[Asked] = field(factory=list)
    _tasks: list[asyncio.Task[object]] = field(factory=list)

    async def __aenter__(self) -> Self:
        self.client.simulator.world.listeners.append(self._hear)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*self._tasks)

    @property
    def base(self) -> str:
        """The path of the application."""
        return f"/applications/{self.client.simulator.world.application.id}"

    @property
    def last(self) -> Asked:
        """The newest interaction."""
        return self.asked[-1]

    async def register(self, *commands: dict[str, Any]) -> list[dict[str, Any]]:
        """Register global commands."""
        answer = await self.client.ask("PUT", f"{self.base}/commands", json=list(commands))
        assert answer.status == 200, answer.body
        registered: list[dict[str, Any]] = answer.body
        return registered

    def _hear(self, name: str, payload: dict[str, Any], _: int | None) -> None:
        if name != "INTERACTION_CREATE":
            return
        self.asked.append(Asked(payload, self.client))
        if self.handler is not None:
            self._tasks.append(asyncio.ensure_future(self.handler(self.asked[-1])))

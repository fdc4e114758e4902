"""A message as a person reads it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from attrs import frozen

from clipsaver.simulator.entities import Message
from clipsaver.simulator.interactions.components import walk
from clipsaver.simulator.interactions.messages import EPHEMERAL, LOADING
from clipsaver.simulator.person.refusals import PersonRefused
from clipsaver.simulator.world import World

THINKING = "…is thinking"
NAMES = ("label", "placeholder", "custom_id")
"""By what a person, or a test in a person's place, finds a component."""


@frozen(kw_only=True)
class Shown:
    """One state of one message."""

    payload: Mapping[str, Any]
    """Discord's message object."""

    @classmethod
    def of(cls, world: World, message: Message) -> Self:
        """The message as it is now."""
        return cls(payload=world.payload_of(message))

    @property
    def id(self) -> int:
        """The message's id."""
        return int(self.payload["id"])

    @property
    def channel_id(self) -> int:
        """Where it is."""
        return int(self.payload["channel_id"])

    @property
    def author_id(self) -> int:
        """Who wrote it."""
        return int(self.payload["author"]["id"])

    @property
    def content(self) -> str:
        """The text above embeds and components."""
        return str(self.payload["content"])

    @property
    def embeds(self) -> Sequence[Mapping[str, Any]]:
        """Embed objects."""
        return tuple(self.payload["embeds"])

    @property
    def components(self) -> Sequence[Mapping[str, Any]]:
        """Component objects, the top level."""
        return tuple(self.payload["components"])

    @property
    def attachments(self) -> Sequence[Mapping[str, Any]]:
        """Attachment objects."""
        return tuple(self.payload["attachments"])

    @property
    def ephemeral(self) -> bool:
        """Whether only the person sees it."""
        return bool(self.payload["flags"] & EPHEMERAL)

    @property
    def thinking(self) -> bool:
        """Whether the bot is still thinking about what to say here."""
        return bool(self.payload["flags"] & LOADING)

    @property
    def edited(self) -> bool:
        """Whether it shows as edited."""
        return self.payload["edited_timestamp"] is not None

    @property
    def buttons(self) -> Sequence[Mapping[str, Any]]:
        """Every button of it."""
        return tuple(one for one in walk(self.components) if one["type"] == 2)  # noqa: PLR2004 - a button

    @property
    def text(self) -> str:
        """Everything there is to read, line by line: content, embeds, components' texts, labels, file names."""
        return THINKING if self.thinking else "\n".join(line for line in self._lines() if line)

    def component(self, name: str) -> Mapping[str, Any]:
        """The component of a label, a placeholder or a custom id."""
        found = [one for key in NAMES for one in walk(self.components) if one.get(key) == name]
        if not found:
            raise PersonRefused(f"There is nothing called {name!r} on this message.")
        return found[0]

    def _lines(self) -> Iterator[str]:
        yield self.content
        for embed in self.embeds:
            yield from _embed_lines(embed)
        for component in walk(self.components):
            yield from _component_lines(component)
        yield from (one["filename"] for one in self.attachments)


def _embed_lines(embed: Mapping[str, Any]) -> Iterator[str]:
    yield (embed.get("author") or {}).get("name", "")
    yield embed.get("title", "")
    yield embed.get("description", "")
    for field in embed.get("fields") or ():
        yield field["name"]
        yield field["value"]
    yield (embed.get("footer") or {}).get("text", "")


def _component_lines(component: Mapping[str, Any]) -> Iterator[str]:
    yield component.get("content") or ""
    yield f"[{component['label']}]" if component.get("label") else ""
    yield component.get("placeholder") or ""
    yield component.get("name") or ""
    for item in component.get("items") or (component,):
        yield item.get("description") or ""

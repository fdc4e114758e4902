"""Which request, and what its limits depend on."""

from typing import Final
from urllib.parse import quote

from attrs import frozen

MAJOR: Final = ("channel_id", "guild_id", "webhook_id")
"""Discord: what a route's limits are kept apart by, besides its bucket."""


@frozen(init=False)
class Route:
    """A method and a path template such as ``/channels/{channel_id}/messages`` with its ids."""

    method: str
    template: str
    ids: tuple[tuple[str, int | str], ...]

    def __init__(self, method: str, template: str, **ids: int | str) -> None:
        self.__attrs_init__(method, template, tuple(ids.items()))

    @property
    def path(self) -> str:
        """The path with its ids; may hold a webhook's secret, so logs take the template."""
        return self.template.format_map({name: quote(str(value), safe="@") for name, value in self.ids})

    @property
    def major(self) -> str:
        """The major parameter, or nothing."""
        ids = dict(self.ids)
        return next((f"{name}={ids[name]}" for name in MAJOR if name in ids), "")

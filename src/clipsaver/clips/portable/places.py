"""Which folder each channel has in an export: the same for good, and no two the same on any system."""

from collections.abc import Iterator
from typing import Self

from attrs import define, evolve, field

from clipsaver.clips.portable import names
from clipsaver.clips.portable.folder import Complain, Folder
from clipsaver.clips.portable.lines import FILES
from clipsaver.clips.portable.listing import open_list
from clipsaver.clips.portable.model import Place
from clipsaver.errors import ClipsaverError


@define(eq=False)
class Places:
    """The channels of an export, one entry each; their clips are in their lists."""

    _known: dict[int, Place] = field(factory=dict)
    _guilds: dict[int, str] = field(factory=dict)
    _taken: set[str] = field(factory=set)

    @classmethod
    def read(cls, folder: Folder, complain: Complain) -> Self:
        """Read the first line of each list."""
        places = cls()
        for name in folder.lists():
            try:
                with open_list(folder, name, complain) as listing:
                    places._know(listing.place)
            except ClipsaverError:
                continue  # it is told when the list is wanted
        return places

    def known(self) -> Iterator[Place]:
        """Every channel of which there is a list."""
        yield from list(self._known.values())

    def settled(self, place: Place) -> Place:
        """The channel with its folder: the one it has, or a free one."""
        before = self._known.get(place.channel_id)
        if before is not None and before.guild_id == place.guild_id:
            return evolve(place, folder=before.folder)
        guild = self._guilds.get(place.guild_id) or self._free(FILES, names.guild_folder(place))
        made = evolve(place, folder=self._free(guild, names.channel_folder(place)))
        self._know(made)
        return made

    def _free(self, above: str, wanted: tuple[str, str]) -> str:
        for_people, its_own = (f"{above}/{name}" for name in wanted)
        return its_own if names.fold(for_people) in self._taken else for_people

    def _know(self, place: Place) -> None:
        self._known[place.channel_id] = place
        guild = place.folder.rpartition("/")[0]
        self._guilds.setdefault(place.guild_id, guild)
        self._taken |= {names.fold(guild), names.fold(place.folder)}

"""A channel's list, read line by line: what is wrong with a line is said, and the others are read all the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader

from attrs import define, field

from clipsaver.clips.portable.folder import Complain, Folder
from clipsaver.clips.portable.lines import LONGEST_LINE, End, Line, read
from clipsaver.clips.portable.model import Clip, Place
from clipsaver.errors import BadInput
from clipsaver.media.storage.errors import os_errors


@define(eq=False)
class Listing:
    """An open list."""

    name: str
    _file: BufferedReader
    _complain: Complain
    _ordered: bool
    place: Place = field(init=False)
    end: End | None = field(default=None, init=False)
    """Its last line, once that was read."""
    clips: int = field(default=0, init=False)
    """Lines that were good."""
    damaged: int = field(default=0, init=False)
    """Lines that were not."""

    def __attrs_post_init__(self) -> None:
        first = next(self._lines(), None)
        place = None if first is None else read(first[1])
        if not isinstance(place, Place):
            raise BadInput("its first line does not say which channel it is of")
        if self.name.split("/")[1:] != [str(place.guild_id), f"{place.channel_id}.jsonl"]:
            raise BadInput("it is the list of another channel")
        self.place = place

    def __iter__(self) -> Iterator[Clip]:
        """Every clip that can be read, in its order."""
        before = (-1, "")
        for number, line in self._lines(start=2):
            try:
                clip = self._fitting(read(line), before)
            except BadInput as error:
                self._bad(f"{self.name}, line {number}: {error.message}.")
                continue
            if isinstance(clip, End):
                self.end = clip
            else:
                before = clip.order
                self.clips += 1
                yield clip
        if self.end is None:
            self._bad(f"{self.name} is cut off: its last line is missing.")
        elif self.end.clips > self.clips + self.damaged:
            self._bad(f"{self.name} has {self.clips} of its {self.end.clips} clips.")

    def _fitting(self, line: Line, before: tuple[int, str]) -> Clip | End:
        """What may come next."""
        if isinstance(line, Place) or (self._ordered and self.end is not None):
            raise BadInput("it should not be there")
        if isinstance(line, Clip) and self._ordered and line.order <= before:
            raise BadInput("its clip is there already, or not in its place")
        return line

    def _bad(self, sentence: str) -> None:
        self.damaged += 1
        self._complain("the list is damaged", sentence)

    def _lines(self, start: int = 1) -> Iterator[tuple[int, bytes]]:
        """Lines and their numbers; of one that is too long, the beginning, and one byte more than is allowed."""
        number = start
        with os_errors(self.name):
            while line := self._file.readline(LONGEST_LINE + 1):
                whole = line.endswith(b"\n")
                while not whole and (rest := self._file.readline(LONGEST_LINE)):
                    whole = rest.endswith(b"\n")
                if line.strip():
                    yield number, line
                number += 1


@contextmanager
def open_list(folder: Folder, name: str, complain: Complain, *, ordered: bool = True) -> Iterator[Listing]:
    """Open a list; BadInput says why none of it can be used. What is not in order is damage, if that matters."""
    with folder.open(name) as file:
        yield Listing(name, file, complain, ordered)

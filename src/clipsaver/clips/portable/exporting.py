"""An export: channel by channel, each clip's file first, then the channel's list and its pages; the sums come last."""

from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import ExitStack, aclosing
from functools import partial
from typing import Final

import orjson
import structlog
from attrs import define, evolve, field

from clipsaver.clips.portable import names, pages, store
from clipsaver.clips.portable.drafts import Draft
from clipsaver.clips.portable.folder import LISTS, MANIFEST, SUMS, Folder, Look
from clipsaver.clips.portable.lines import End, write
from clipsaver.clips.portable.listing import Listing, open_list
from clipsaver.clips.portable.merging import in_turn, together
from clipsaver.clips.portable.model import FORMAT, VERSION, Clip, Place, Row, Scope, Tally, now
from clipsaver.clips.portable.places import Places
from clipsaver.clips.portable.showing import Showing
from clipsaver.clips.saving.model import ClipState
from clipsaver.errors import BadInput, ClipsaverError, NotThere
from clipsaver.media.storage import NotStored, Storage, StorageFull, StorageRefused, StorageUnavailable, blob_name
from clipsaver.postgres.pool import Pool

log = structlog.get_logger("clipsaver.portable")

ROWS: Final = 500
"""Clips, or channels, that are asked for at a time."""
MOST_SHARED: Final = 50_000
"""Files that are remembered for others with the same bytes; one that was forgotten is copied again."""
MOST_TROUBLES: Final = 20
"""In a row, of a storage that doesn't answer: nobody waits for a million of them."""
FOLDER: Final = "not taken by the folder"
GONE: Final = frozenset({ClipState.GONE, ClipState.DELETED})


class Stopped(ClipsaverError):
    """Nothing more can be done now; what is done is done."""


@define(kw_only=True, eq=False)
class Export:
    """Writes clips out; run again it goes on, and adds."""

    pool: Pool
    storage: Storage
    folder: Folder
    scope: Scope
    tally: Tally = field(factory=Tally)
    notify: Callable[[], None] = lambda: None
    """Told whenever something was done."""
    _shared: "OrderedDict[bytes, str]" = field(factory=OrderedDict, init=False)
    _troubles: int = field(default=0, init=False)

    async def __call__(self) -> None:
        """Do it: the tally says what came of it. Another error says why it can't begin, or can't go on."""
        async with self.pool.acquire() as conn:
            if not await store.is_known(conn, self.scope):
                raise NotThere("Nothing is known of that server or channel: its id is what is meant.")
        await self.folder.prepare()
        places = Places.read(self.folder, self.tally.complain)
        try:
            await self._all(places, Showing(pool=self.pool, storage=self.storage, folder=self.folder))
        except Stopped:
            await self._finish()
            raise
        await self._finish()

    async def _all(self, places: Places, showing: Showing) -> None:
        """Every channel there is, and then those that were."""
        seen = set()
        async for place in self._channels():
            seen.add(place.channel_id)
            await self._channel(places.settled(place), showing)
        for place in places.known():
            if place.channel_id not in seen and self.scope.holds(place):
                await self._channel(place, showing)

    async def _channels(self) -> AsyncIterator[Place]:
        after: Place | None = None
        while True:
            async with self.pool.acquire() as conn:
                found = await store.places(conn, self.scope, after=after, limit=ROWS)
            for place in found:
                yield place
            if len(found) < ROWS:
                return
            after = found[-1]

    async def _rows(self, channel_id: int) -> AsyncIterator[Row]:
        after: Row | None = None
        while True:
            async with self.pool.acquire() as conn:
                found = await store.rows(conn, channel_id, since_id=self.scope.since_id, after=after, limit=ROWS)
            for row in found:
                yield row
            if len(found) < ROWS:
                return
            after = found[-1]

    # ── a channel ──

    async def _channel(self, place: Place, showing: Showing) -> None:
        """Export a channel, and write its list anew if it has changed."""
        name = list_name(place)
        try:
            try:
                clips = await self._listed(place, name)
            except BadInput as error:
                self.tally.complain("the list is damaged", f"{name} can't be used: {error.message}.")
                self.folder.set_aside(name)
                clips = await self._listed(place, name)
            if clips:
                await showing.channel(place, clips, partial(open_list, self.folder, name, self._silently))
        except Stopped:
            raise
        except ClipsaverError as error:
            self.tally.complain(FOLDER, f"The list of {place.folder}: {error.message}")

    async def _listed(self, place: Place, name: str) -> int:
        if not self.folder.has(name):
            return await self._list(place, name, None)
        with open_list(self.folder, name, self.tally.complain) as before:
            return await self._list(place, name, before)

    async def _list(self, place: Place, name: str, before: Listing | None) -> int:
        """Write a list: how many clips are in it; one that would have none is not worth writing."""
        clips = size = 0
        with self.folder.draft(name) as draft:
            draft.add(write(place))
            async for olds, news in together(in_turn(before or ()), self._rows(place.channel_id)):
                for clip in await self._second(place, olds, news):
                    draft.add(write(clip))
                    clips, size = clips + 1, size + clip.bytes
                self.notify()
            draft.add(write(End(clips=clips, bytes=size)))
            draft.wanted = clips > 0 or before is not None
            self.folder.sync()
            if before is not None and before.damaged:
                self.folder.set_aside(name)
        return clips

    async def _second(self, place: Place, olds: list[Clip], news: list[Row]) -> list[Clip]:
        """Export the clips of one second: no two have one name, and from another second none can."""
        taken = {names.fold(old.file) for old in olds}
        before, present = {old.clip_id: old for old in olds}, {row.clip_id: row for row in news}
        kept = []
        for clip_id in sorted(before.keys() | present.keys(), key=partial(_order, before, present)):
            clip = await self._clip(place, before.get(clip_id), present.get(clip_id), taken)
            if clip is not None:
                kept.append(clip)
                taken.add(names.fold(clip.file))
        return kept

    async def _clip(self, place: Place, old: Clip | None, row: Row | None, taken: set[str]) -> Clip | None:
        """One clip's line, its file being there; None for one that has no line."""
        if row is None and old is not None and old.message_id < self.scope.since_id:
            return old
        self.tally.clips += 1
        wanted = None if row is None else row.clip
        if wanted is not None and old is not None:
            wanted = evolve(wanted, file=old.file)
        elif wanted is None and old is not None:
            gone = row is None or row.state in GONE
            self.tally.gone += gone
            wanted = evolve(old, gone_since=(old.gone_since or now()) if gone else None)
        elif wanted is None:
            self.tally.unsaved += row is not None and row.state not in GONE
            return None
        shared = row is not None and row.is_shared
        try:
            done = await self._bring(place, wanted, taken, shared=shared)
        except ClipsaverError as error:
            self._left_out(wanted, error)
            return None if old is None else wanted
        self._troubles = 0
        return done

    def _left_out(self, clip: Clip, error: ClipsaverError) -> None:
        self.tally.complain(_kind(error), f"{clip.filename!r} of message {clip.message_id}: {error.message}")
        self._troubles = self._troubles + 1 if isinstance(error, Away) else 0
        if self._troubles >= MOST_TROUBLES:
            raise Stopped(f"It goes no further now: {error.message}") from error

    # ── a file ──

    async def _bring(self, place: Place, clip: Clip, taken: set[str], *, shared: bool) -> Clip:
        """Have a clip's file, under the name it had, or under one that is free."""
        if not clip.file:
            clip, found = await self._named(place, clip, taken)
        else:
            found = await self.folder.look(clip.file, sha256=clip.sha256, size=clip.bytes)
        if found is Look.SAME:
            self.tally.kept += 1
        elif await self._linked(clip):
            self.tally.linked += 1
        else:
            await self._copy(clip)
            self.tally.written += 1
            self.tally.bytes += clip.bytes
        if shared:
            self._shared[clip.sha256] = clip.file
            if len(self._shared) > MOST_SHARED:
                self._shared.popitem(last=False)
        return clip

    async def _named(self, place: Place, clip: Clip, taken: set[str]) -> tuple[Clip, Look]:
        """Give a clip a file: what lies there already and is not it belongs to somebody else."""
        for_people, its_own = (f"{place.folder}/{name}" for name in names.file_names(clip))
        if names.fold(for_people) not in taken:
            found = await self.folder.look(for_people, sha256=clip.sha256, size=clip.bytes)
            if found is not Look.OTHER:
                return evolve(clip, file=for_people), found
        clip = evolve(clip, file=its_own)
        return clip, await self.folder.look(its_own, sha256=clip.sha256, size=clip.bytes)

    async def _linked(self, clip: Clip) -> bool:
        """Whether the bytes could be had from a file that is there, and right."""
        other = self._shared.get(clip.sha256)
        return other not in {None, clip.file} and await self.folder.link(str(other), clip.file)

    async def _copy(self, clip: Clip) -> None:
        """Bring the bytes from the storage."""
        if self.folder.free() < clip.bytes:
            raise StorageFull(f"There is no room for it in {self.folder.root}.")
        async with self.folder.arrivals.open() as incoming:
            async with aclosing(self._pieces(clip)) as pieces:
                async for piece in pieces:
                    await incoming.write(piece)
            if await incoming.seal() != clip.sha256:
                raise Damaged("its bytes in the storage are not what they were.")
            await self.folder.put(incoming, clip.file, modified=clip.posted_at)

    async def _pieces(self, clip: Clip) -> AsyncGenerator[bytes, None]:
        """What the storage has; trouble with it is told apart from trouble with the folder."""
        try:
            async for piece in self.storage.read(blob_name(clip.sha256)):
                yield piece
        except (StorageRefused, StorageUnavailable) as error:
            raise Away(error.message) from error

    # ── the end ──

    async def _finish(self) -> None:
        """Write the sums of all files and lists, and the first page."""
        summed: list[pages.Summed] = []
        with self.folder.draft(SUMS) as draft:
            for name in self.folder.lists():
                with ExitStack() as stack:
                    try:
                        listing = stack.enter_context(open_list(self.folder, name, self._silently))
                    except ClipsaverError:
                        continue
                    summed.append(await self._sum(listing, draft))
        await self.folder.write(pages.INDEX, pages.index(summed))
        about = {
            "format": FORMAT,
            "version": VERSION,
            "channels": len(summed),
            "clips": sum(one.clips for one in summed),
            "bytes": sum(one.bytes for one in summed),
        }
        await self.folder.write(MANIFEST, orjson.dumps(about, option=orjson.OPT_INDENT_2) + b"\n")
        self.folder.sync()

    async def _sum(self, listing: Listing, draft: Draft) -> pages.Summed:
        """Write the sums of a channel's files, and of its list."""
        size = 0
        async for clip in in_turn(listing):
            draft.add(f"{clip.sha256.hex()}  {clip.file}\n".encode())
            size += clip.bytes
        draft.add(f"{self.folder.digest(listing.name).hex()}  {listing.name}\n".encode())
        return pages.Summed(place=listing.place, clips=listing.clips, bytes=size)

    def _silently(self, _kind: str, _sentence: str) -> None:
        """What is wrong with a list was said when it was read first."""


class Away(ClipsaverError):
    """The storage gives nothing now."""


class Damaged(ClipsaverError):
    """The storage has other bytes than it should."""


def list_name(place: Place) -> str:
    """Where a channel's list lies."""
    return f"{LISTS}/{place.guild_id}/{place.channel_id}.jsonl"


def _order(before: dict[str, Clip], present: dict[str, Row], clip_id: str) -> tuple[int, str]:
    return (before.get(clip_id) or present[clip_id]).message_id, clip_id


def _kind(error: ClipsaverError) -> str:
    match error:
        case NotStored():
            return "missing in the storage"
        case Damaged():
            return "damaged in the storage"
        case Away():
            return "not given by the storage"
        case StorageFull():
            return "no room"
        case _:
            return FOLDER

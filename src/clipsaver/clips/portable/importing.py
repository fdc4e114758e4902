"""An import: list by list, each clip's bytes checked, then stored, and only then written down."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from functools import partial
from itertools import islice
from typing import Final

import asyncpg
import orjson
from attrs import define, field

from clipsaver.clips.portable import store
from clipsaver.clips.portable.folder import MANIFEST, Folder, NoFile
from clipsaver.clips.portable.lines import must_be_ours
from clipsaver.clips.portable.listing import Listing, open_list
from clipsaver.clips.portable.model import Clip, Place, Tally
from clipsaver.clips.portable.store import Known
from clipsaver.clips.saving.model import ClipState
from clipsaver.clips.saving.store import insert_blob, lock_blob
from clipsaver.errors import ClipsaverError, StartFailed
from clipsaver.media.storage import Storage, StorageFull, StorageUnavailable, StoredDiffers, blob_name
from clipsaver.media.storage.incoming import Incoming
from clipsaver.postgres.pool import Connection, Pool, in_transaction

CLIPS: Final = 200
"""Clips that are looked up at a time."""
AT_ONCE: Final = 4
"""Clips that are taken at the same time."""
LARGEST_MANIFEST: Final = 64 * 1024
REMOVALS: Final = 20
REMOVAL: Final = 0.25
"""How often, and after how many seconds, bytes are kept again that are being removed just now."""
LOOK: Final = 3.0
"""Seconds that the storage may take to say whether bytes are there: others wait meanwhile."""
MOST_TROUBLES: Final = 20
"""In a row, of a storage that takes nothing."""
REFUSED: Final = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
"""What the database says of rows that it can't hold."""
LACKING: Final = frozenset({ClipState.PENDING, ClipState.FAILED, ClipState.GONE})
"""What gets its bytes; what was left out or erased here was meant to be."""


class Stopped(ClipsaverError):
    """Nothing more can be done now; what is done is done."""


class Refused(ClipsaverError):
    """A clip that can't be taken as it is."""


@define(kw_only=True, eq=False)
class Import:
    """Takes the folder of an export into the database and the storage; run again it goes on."""

    pool: Pool
    storage: Storage
    folder: Folder
    with_gone: bool = False
    """Whether clips are taken, too, that had gone before the folder was last written to."""
    tally: Tally = field(factory=Tally)
    notify: Callable[[], None] = lambda: None
    """Told whenever something was done."""
    removal: float = REMOVAL
    _troubles: int = field(default=0, init=False)

    async def __call__(self) -> None:
        """Do it: the tally says what came of it. StartFailed when this is no export; Stopped when it can't go on."""
        expected = self._manifest()
        lists = 0
        for name in self.folder.lists():
            lists += 1
            try:
                with open_list(self.folder, name, self.tally.complain, ordered=False) as listing:
                    await self._list(listing)
            except Stopped:
                raise
            except ClipsaverError as error:
                self.tally.complain("the list is damaged", f"{name} can't be used: {error.message.rstrip('.')}.")
        if lists < expected:
            self.tally.complain("the list is damaged", f"Of {expected:,} lists there are {lists:,}.")

    def _manifest(self) -> int:
        """How many lists there have to be; StartFailed when the folder can't be read at all."""
        root = self.folder.root
        if not self.folder.has(MANIFEST) and any(self.folder.lists()):
            return 0  # an export that has not come to its end
        try:
            with self.folder.open(MANIFEST) as file:
                about = orjson.loads(file.read(LARGEST_MANIFEST))
            must_be_ours(about)
        except NoFile:
            raise StartFailed(f"{root} holds no export: there is no {MANIFEST} in it.") from None
        except orjson.JSONDecodeError:
            raise StartFailed(f"{root / MANIFEST} can't be read: it is no JSON.") from None
        except ClipsaverError as error:
            raise StartFailed(f"{root / MANIFEST} can't be used: {error.message}.") from None
        channels = about.get("channels")
        return channels if isinstance(channels, int) else 0

    # ── a list ──

    async def _list(self, listing: Listing) -> None:
        async for clips in _batches(listing, CLIPS):
            async with self.pool.acquire() as conn:
                known = await store.known(conn, [clip.clip_id for clip in clips])
            for start in range(0, len(clips), AT_ONCE):
                few = clips[start : start + AT_ONCE]
                done = await asyncio.gather(
                    *(self._clip(listing.place, clip, known.get(clip.clip_id)) for clip in few),
                    return_exceptions=True,
                )
                for error in done:
                    if error is not None:
                        raise error
                self.notify()

    async def _clip(self, place: Place, clip: Clip, known: Known | None) -> None:
        self.tally.clips += 1
        if clip.gone_since is not None and not self.with_gone:
            self.tally.gone += 1
            return
        try:
            if known is not None and known.state not in LACKING:
                if known.state is not ClipState.STORED:
                    self.tally.untouched += 1
                    return
                if known.sha256 != clip.sha256 or await self.storage.size(blob_name(clip.sha256)) == clip.bytes:
                    self.tally.kept += 1
                    return
            await self._bring(place, clip)
        except REFUSED as error:
            self._left_out(clip, Refused(f"the database does not take it: {error.args[0]}."))
        except ClipsaverError as error:
            self._left_out(clip, error)
        else:
            self._troubles = 0
            self.tally.written += 1
            self.tally.bytes += clip.bytes

    def _left_out(self, clip: Clip, error: ClipsaverError) -> None:
        ours = isinstance(error, Refused)
        kind = "missing or damaged in the folder" if ours else "not taken by the storage"
        self.tally.complain(kind, f"{clip.clip_id}: {error.message}")
        self._troubles = 0 if ours else self._troubles + 1
        if self._troubles >= MOST_TROUBLES:
            raise Stopped(f"It goes no further now: {error.message}") from error

    # ── a clip ──

    async def _bring(self, place: Place, clip: Clip) -> None:
        """Have a clip's bytes in the storage, if they are what the list says, and then the rows that say so."""
        async with self.storage.incoming() as incoming:
            if await self.storage.free_bytes() < clip.bytes:
                raise StorageFull("There is no room for it in the storage.")
            await self._read(clip, incoming)
            await self._keep(place, clip, incoming)

    async def _read(self, clip: Clip, incoming: Incoming) -> None:
        async with aclosing(self._pieces(clip.file)) as pieces:
            async for piece in pieces:
                await incoming.write(piece)
                if incoming.size > clip.bytes:
                    break
        if incoming.size != clip.bytes:
            raise Refused(f"{clip.file} has another length than {clip.bytes} bytes.")
        if await incoming.digest() != clip.sha256:
            raise Refused(f"{clip.file} is not what its checksum says.")

    async def _pieces(self, name: str) -> AsyncGenerator[bytes, None]:
        """What is in a file of the folder; trouble with it is told apart from trouble with the storage."""
        try:
            with self.folder.open(name) as file:
                while piece := await self.folder.read(file, name):
                    yield piece
        except ClipsaverError as error:
            raise Refused(error.message) from error

    async def _keep(self, place: Place, clip: Clip, incoming: Incoming) -> None:
        """Have the bytes in the storage, and then the rows that say so."""
        for _ in range(REMOVALS):
            try:
                await self.storage.keep(incoming, content_type=clip.media_type)
            except StoredDiffers:
                await in_transaction(self.pool, partial(self._remove_wrong, clip))
            else:
                if await in_transaction(self.pool, partial(self._record, place, clip)):
                    return
                await asyncio.sleep(self.removal)
        raise StorageUnavailable("the same bytes are being removed from the storage just now.")

    async def _remove_wrong(self, clip: Clip, conn: Connection) -> None:
        """Remove what lies under the hash and can't be what belongs there; nobody else does so meanwhile."""
        await lock_blob(conn, clip.sha256)
        if await self._size(clip) not in {None, clip.bytes}:
            await self.storage.delete(blob_name(clip.sha256))

    async def _size(self, clip: Clip) -> int | None:
        try:
            async with asyncio.timeout(LOOK):
                return await self.storage.size(blob_name(clip.sha256))
        except TimeoutError:
            raise StorageUnavailable("the storage takes too long to answer.") from None

    async def _record(self, place: Place, clip: Clip, conn: Connection) -> bool:
        """Write that a clip has its bytes; False when those were or are being removed, and have to be kept again.

        Bytes go only under the same lock: what is there now stays there.
        """
        await lock_blob(conn, clip.sha256)
        if await self._size(clip) != clip.bytes:
            return False
        if not await insert_blob(conn, clip.sha256, size=clip.bytes, media_type=clip.media_type):
            return False
        if not await store.put_place(conn, place):
            raise Refused("its channel is known here as one of another server.")
        if not await store.put_message(conn, clip, place):
            raise Refused("its message is known here as one of another channel.")
        await store.put_clip(conn, clip, place)
        return True


async def _batches(items: Iterable[Clip], size: int) -> AsyncIterator[list[Clip]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch

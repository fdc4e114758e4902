"""One claimed clip, from its link to the storage: fetched, hashed on the way, kept, and only then written down."""

import asyncio
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

import structlog
from attrs import define, evolve

from clipsaver.clips.finding import find_clips
from clipsaver.clips.model import Batch, Found, FoundClip, Portion
from clipsaver.clips.rules import Rules
from clipsaver.clips.saving import store
from clipsaver.clips.saving.model import Ending, Job, Why, gone, later
from clipsaver.clips.saving.partials import Partials
from clipsaver.clips.saving.readable import Readable
from clipsaver.clips.service import Clips
from clipsaver.clips.videos import videos_in
from clipsaver.discord.messages import Messages
from clipsaver.discord.rest import NotFound, Priority
from clipsaver.discord.snapshots import structure_message
from clipsaver.errors import LeaseLost
from clipsaver.guilds.settings import resolve
from clipsaver.media.fetching import containers
from clipsaver.media.fetching.download import Fetched
from clipsaver.media.fetching.errors import Busy, Interrupted, LinkDead
from clipsaver.media.fetching.fetcher import Fetcher
from clipsaver.media.storage.base import Storage
from clipsaver.media.storage.errors import StorageUnavailable, StoredDiffers
from clipsaver.media.storage.incoming import Incoming
from clipsaver.media.storage.names import blob_name
from clipsaver.postgres.few import Few
from clipsaver.postgres.pool import Connection

log = structlog.get_logger("clipsaver.saving")

LEASE_LOST: Final = "Another worker saves this clip now."
UNKNOWN_MESSAGE: Final = 10008
UNKNOWN_CHANNEL: Final = 10003
"""Discord: JSON Error Codes. Any other 404 says nothing about the message."""
REMOVALS: Final = 20
REMOVAL: Final = 0.25
"""How often, and after how many seconds, bytes are kept again that are being removed just now."""
AFTER_REMOVAL: Final = 60.0
"""Seconds until a clip is tried again whose bytes were being removed all that time."""
LOOK: Final = 3.0
"""Seconds that the storage may take to say whether bytes are there: others wait meanwhile."""


class Ended(Exception):
    """Nothing more can be done for a clip now."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.reason)
        self.ending = ending


@define(eq=False)
class Into:
    """An incoming file, as a download fills it."""

    incoming: Incoming

    @property
    def offset(self) -> int:
        """Bytes that are there."""
        return self.incoming.size

    async def write(self, data: bytes) -> None:
        """Take the next ones."""
        await self.incoming.write(data)

    async def restart(self) -> None:
        """Forget all of them."""
        await self.incoming.restart()


@define(kw_only=True, eq=False)
class Save:
    """Brings one clip's bytes into the storage; everything it writes is fenced by the lease."""

    few: Few
    fetcher: Fetcher
    storage: Storage
    messages: Messages
    readable: Readable
    clips: Clips
    partials: Partials
    defaults: Mapping[str, Any]
    job: Job
    token: UUID
    came: int = 0
    """Bytes that came beyond what was there from an earlier attempt."""

    async def __call__(self) -> int:
        """Save it: how many bytes it has. Ended, or an error of media's or Discord's, says why not."""
        if self.job.link_expires(datetime.now(UTC)):
            await self._find_link()
        try:
            return await self._bring()
        except LinkDead as dead:
            before = self.job.url
            await self._find_link()
            if self.job.url == before:
                raise dead from None
            return await self._bring()

    # ── the bytes ──

    async def _bring(self) -> int:
        key, validator = self.partials.of(self.job.clip_id)
        async with self.storage.incoming(key) as incoming:
            before = incoming.size
            try:
                fetched = await self.fetcher.fetch(
                    self.job.url,
                    Into(incoming),
                    expected_size=self.job.size,
                    largest=self.job.most if self.job.size is None else self.job.size,
                    validator=validator,
                )
            except Interrupted as error:
                self.came += max(incoming.size - before, 0)
                if error.validator is not None and incoming.size:
                    await incoming.suspend()
                await self._leave(error.validator if incoming.size else None)
                raise
            except Busy as error:
                if not error.asked and validator is not None and incoming.size:
                    await incoming.suspend()
                raise
            self.partials.keep(self.job.clip_id, None)
            await self._keep(incoming, fetched)
            return fetched.size

    async def _leave(self, validator: str | None) -> None:
        """Remember what was left for the next attempt; the oldest of too many goes."""
        too_many = self.partials.keep(self.job.clip_id, validator)
        if too_many is not None:
            async with self.storage.incoming(too_many):
                pass

    async def _keep(self, incoming: Incoming, fetched: Fetched) -> None:
        """Have the bytes in the storage, and then the rows that say so."""
        # Of a download that goes on from an earlier one nobody has seen the beginning but the file itself.
        media_type = fetched.container or containers.container(incoming.opening) or fetched.content_type
        for _ in range(REMOVALS):
            try:
                sha256 = await self.storage.keep(incoming, content_type=media_type)
            except StoredDiffers:
                sha256 = await incoming.digest()
                await self.few.in_transaction(partial(self._remove_wrong, sha256, fetched.size))
            else:
                if await self.few.in_transaction(partial(self._record, sha256, fetched.size, media_type)):
                    return
                await asyncio.sleep(REMOVAL)
        said = "The storage could not take the file just now: it is tried again soon."
        spread = random.uniform(1.0, 1.5)  # noqa: S311 - spreads the load, guards nothing
        raise Ended(later(Why.STORAGE, said, seconds=AFTER_REMOVAL * spread))

    async def _remove_wrong(self, sha256: bytes, size: int, conn: Connection) -> None:
        """Remove what lies under the hash and can't be what belongs there; nobody else does so meanwhile."""
        await store.lock_blob(conn, sha256)
        there = await self._size(sha256)
        if there not in {None, size}:
            log.error(
                "saving.wrong_bytes",
                sha256=sha256.hex(),
                reason=f"A file of {there} bytes lay where one of {size} belongs; it is replaced.",
            )
            await self.storage.delete(blob_name(sha256))

    async def _size(self, sha256: bytes) -> int | None:
        try:
            async with asyncio.timeout(LOOK):
                return await self.storage.size(blob_name(sha256))
        except TimeoutError:
            raise StorageUnavailable("The storage takes too long to answer.") from None

    async def _record(self, sha256: bytes, size: int, media_type: str | None, conn: Connection) -> bool:
        """Write that a clip has its bytes; False when those were or are being removed, and have to be kept again.

        Bytes go only under the same lock: what is there now stays there.
        """
        await store.lock_blob(conn, sha256)
        if await self._size(sha256) != size:
            return False
        if not await store.insert_blob(conn, sha256, size=size, media_type=media_type):
            return False
        stored = await store.mark_stored(conn, self.job.clip_id, sha256, token=self.token)
        if stored is None:
            raise LeaseLost(LEASE_LOST)
        if not stored:
            log.info("saving.clip_vanished", sha256=sha256.hex())
        return True

    # ── a fresh link ──

    async def _find_link(self) -> None:
        """Read the clip's message again, and write what it says by the same rules as a page's."""
        job = self.job
        await self.readable.check(job)
        try:
            payload = await self.messages.get(job.channel_id, job.message_id, priority=Priority.SCAN)
        except NotFound as error:
            if error.code == UNKNOWN_MESSAGE:
                raise Ended(gone("The message was deleted before its clip could be saved.")) from None
            if error.code == UNKNOWN_CHANNEL:
                raise Ended(gone("The channel was deleted before its clip could be saved.")) from None
            raise
        message = structure_message(payload)
        rules = Rules.of(resolve(self.defaults, job.guild_settings, job.settings))
        ours = next((one for one in videos_in(message, _admitting(job)) if one.clip_id == job.clip_id), None)
        if ours is None:
            raise Ended(gone("The file was removed from its message before it could be saved."))
        found = find_clips(message, rules)
        if all(one.clip_id != ours.clip_id for one in found.clips):
            found = evolve(found, clips=(*found.clips, ours))
        await self.few.in_transaction(partial(self._write_again, found, rules))
        self.job = evolve(job, url=ours.url, url_expires_at=ours.url_expires_at, size=_size(job, ours))
        log.info(
            "saving.link_renewed", expires=None if ours.url_expires_at is None else ours.url_expires_at.isoformat()
        )

    async def _write_again(self, found: Found, rules: Rules, conn: Connection) -> None:
        job = self.job
        if not await store.hold(conn, job.clip_id, token=self.token):
            raise LeaseLost(LEASE_LOST)
        batch = Batch(found=(found,), ids=(job.message_id,), matched=1)
        portion = Portion(
            guild_id=job.guild_id,
            channel_id=job.channel_id,
            batch=batch,
            rules_hash=rules.hash,
            seen_hash=job.rules_hash,
        )
        await self.clips.keep(conn, [portion])


def _admitting(job: Job) -> Rules:
    """Rules that take a clip for one whatever has been set since it was found."""
    extension = job.filename.rpartition(".")[2]
    return Rules(
        video_formats=() if not extension else (extension,),
        allowed_mime_types=() if job.content_type is None else (job.content_type.partition(";")[0],),
    )


def _size(job: Job, found: FoundClip) -> int | None:
    return job.size if found.size is None else found.size

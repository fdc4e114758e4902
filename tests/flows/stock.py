"""What lies in a storage, against what was served and what the rows say."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from clipsaver.media.storage import blob_name, picture_name
from clipsaver.postgres.pool import Pool
from clipsaver.simulator import videos
from clipsaver.simulator.entities import Attachment, Message
from clipsaver.simulator.world import World
from tests.flows.waiting import PATIENCE, eventually

LEFT = "select count(*) from clips where state = 'pending'"
UNMADE = "select count(*) from thumbnails where state <> 'made'"
SHOWN = "select sha256, array(select jsonb_object_keys(pictures)) as names from thumbnails where state = 'made'"


def served(world: World, channel_id: int) -> dict[int, bytes]:
    """The SHA-256 of every video that the CDN has of a channel, by the id of its file."""
    found = {}
    for message_id in world.truth(channel_id):
        message = world.histories[channel_id].get(message_id)
        assert message is not None
        for file in _files(message):
            found[file.id] = hashlib.sha256(b"".join(videos.pieces(file))).digest()
    return found


def _files(message: Message) -> list[Attachment]:
    shown = [media.attachment for media in message.media if media.attachment is not None]
    return [one for one in (*message.attachments, *shown) if one.is_clip]


@frozen(kw_only=True)
class Stock:
    """What lies in a storage on disk."""

    folder: Path

    @property
    def blobs(self) -> dict[str, Path]:
        """Every file of it by its name in the storage."""
        root = self.folder / "storage"
        return {str(path.relative_to(root)): path for path in (root / "blobs").rglob("*") if path.is_file()}

    @property
    def pictures(self) -> dict[str, Path]:
        """Every picture of it by its name in the storage."""
        root = self.folder / "storage"
        return {str(path.relative_to(root)): path for path in (root / "thumbnails").rglob("*") if path.is_file()}

    @property
    def unfinished(self) -> list[Path]:
        """What is still coming in, or was left behind."""
        return [path for path in self.folder.rglob("incoming/*") if path.is_file()]

    async def check(self, pool: Pool, truth: Mapping[int, bytes]) -> int:
        """No row without its bytes, none with others, each counted once; how many clips are stored."""
        rows = await pool.fetch("select clip_id, attachment_id, sha256 from clips where state = 'stored'")
        blobs = self.blobs
        for row in rows:
            if row["attachment_id"] is not None:
                assert truth[row["attachment_id"]] == row["sha256"], row["clip_id"]
            assert blob_name(row["sha256"]) in blobs, row["clip_id"]
        for name, path in blobs.items():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == name[-64:]
        recorded = {row["sha256"] for row in await pool.fetch("select sha256 from blobs")}
        assert {row["sha256"] for row in rows} <= recorded
        used = await pool.fetchrow("select coalesce(sum(clips), 0), coalesce(sum(bytes), 0) from guild_usage")
        size = await pool.fetchval("select coalesce(sum(b.size), 0) from clips c join blobs b using (sha256)")
        assert used is not None
        assert tuple(used) == (len(rows), size)
        return len(rows)

    async def check_pictures(self, pool: Pool) -> int:
        """No row without its pictures, none of them half, and none without its video's row; how many rows have them."""
        pictures = self.pictures
        for name, path in pictures.items():
            data = path.read_bytes()
            assert len(data) == int.from_bytes(data[4:8], "little") + 8, name
        rows = await pool.fetch(SHOWN)
        expected = {picture_name(row["sha256"], what) for row in rows for what in row["names"]}
        assert expected <= pictures.keys()
        assert all({"320", "640"} <= set(row["names"]) for row in rows)
        looked_at = {row["sha256"].hex() for row in await pool.fetch("select sha256 from thumbnails")}
        assert looked_at == {row["sha256"].hex() for row in await pool.fetch("select sha256 from blobs")}
        assert {name.rpartition("/")[2].partition("-")[0] for name in pictures} <= looked_at
        return len(rows)


async def saved(pool: Pool) -> None:
    """Wait until every clip has its bytes."""

    async def look() -> bool:
        return not await pool.fetchval(LEFT)

    await eventually(look)


async def pictured(pool: Pool, *, timeout: float = PATIENCE) -> None:  # noqa: ASYNC109 - the test's patience
    """Wait until every video has its pictures."""

    async def look() -> bool:
        return not await pool.fetchval(UNMADE)

    await eventually(look, timeout=timeout)

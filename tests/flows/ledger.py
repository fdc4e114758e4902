"""What a scanned channel's rows have to say, counted from the world alone, and what they do say."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from attrs import frozen

from clipsaver.postgres import ranges
from clipsaver.postgres.pool import Connection
from clipsaver.scans.model import Run
from clipsaver.simulator.entities import Attachment, Message
from clipsaver.simulator.files import VIDEO_TYPES
from clipsaver.simulator.world import World

CLIPS = "select clip_id, message_id, attachment_id, guild_id from clips where channel_id = $1"
MESSAGES = "select message_id, author_id, posted_at, guild_id from messages where channel_id = $1"
AUTHORS = """
    select u.discord_user_id, u.username, u.global_name from users u
     where exists (select from messages m where m.channel_id = $1 and m.author_id = u.discord_user_id)
"""
CHANNEL = """
select message_count, coverage::text as coverage, has_gaps, last_message_id from bot_channels where channel_id = $1
"""


@frozen(kw_only=True)
class Ledger:
    """One channel's rows."""

    clips: Counter[str]
    """How often each is there; they had better be there once."""
    messages: dict[int, int | None]
    """With their authors."""
    authors: Mapping[int, str | None]
    message_count: int
    coverage: ranges.Ranges
    last_message_id: int | None
    has_gaps: bool = False


@frozen(kw_only=True)
class Figures:
    """What a run has to have counted."""

    messages_scanned: int
    messages_matched: int
    clips_found: int
    skipped: Mapping[str, int]

    @classmethod
    def of(cls, run: Run) -> "Figures":
        """What a run did count."""
        return cls(
            messages_scanned=run.messages_scanned,
            messages_matched=run.messages_matched,
            clips_found=run.clips_found,
            skipped=run.skipped,
        )


async def kept(conn: Connection, channel_id: int) -> Ledger:
    """What the database says."""
    channel = await conn.fetchrow(CHANNEL, channel_id)
    assert channel is not None
    messages = await conn.fetch(MESSAGES, channel_id)
    clips = await conn.fetch(CLIPS, channel_id)
    for clip in clips:
        own = f"{clip['message_id']}-"
        assert clip["clip_id"].startswith(own)
        assert clip["attachment_id"] is None or clip["clip_id"] == f"{own}{clip['attachment_id']}"
    return Ledger(
        clips=Counter(clip["clip_id"] for clip in clips),
        messages={row["message_id"]: row["author_id"] for row in messages},
        authors={row["discord_user_id"]: row["username"] for row in await conn.fetch(AUTHORS, channel_id)},
        message_count=channel["message_count"],
        coverage=ranges.from_text(channel["coverage"]),
        last_message_id=channel["last_message_id"],
        has_gaps=channel["has_gaps"],
    )


def expected(world: World, run: Run, *, without: Collection[int] = ()) -> Ledger:
    """What it has to say once a run has read all of a channel; ``without`` names messages that nobody can read."""
    there = _read(world, run.channel_id)
    holding = {one.id: one for one in there if one.clips and one.id not in without}
    assert run.horizon is not None
    return Ledger(
        clips=Counter(clip for one in holding.values() for clip in one.clips),
        messages={one.id: one.author_id for one in holding.values()},
        authors={one.author_id: one.webhook_name or world.users[one.author_id].username for one in holding.values()},
        message_count=len(there),
        coverage=ranges.between(0, run.horizon),
        last_message_id=max((one.id for one in there), default=None),
    )


def recount(world: World, channel_id: int, *, without: Collection[int] = ()) -> Figures:
    """What a run that read all of a channel has to have counted."""
    there = _read(world, channel_id)
    holding = [one for one in there if one.clips and one.id not in without]
    # An odd one is not looked into.
    large = sum(1 for one in there for file in _files(one) if one.id not in without and _is_too_large(file))
    skipped = {"too_large": large, "odd": len(without)}
    return Figures(
        messages_scanned=len(there),
        messages_matched=len(holding),
        clips_found=sum(len(one.clips) for one in holding),
        skipped={reason: n for reason, n in skipped.items() if n},
    )


def _read(world: World, channel_id: int) -> list[Message]:
    """Every message of a channel but the bot's own."""
    history = world.histories[channel_id]
    there = [history.get(message_id) for message_id in history.ids()]
    return [one for one in there if one is not None and one.author_id != world.bot_id]


def _files(message: Message) -> Iterator[Attachment]:
    for one in (message, message.forwarded):
        if one is not None:
            yield from one.attachments
            yield from (media.attachment for media in one.media if media.attachment is not None)


def _is_too_large(file: Attachment) -> bool:
    """A video that is no clip by the default settings; nothing but its size can be the reason."""
    return file.kind in VIDEO_TYPES and not file.is_clip

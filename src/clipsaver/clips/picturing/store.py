"""The statements on what is known of stored videos, and on their pictures.

Whoever looks at a video holds its row under a token: every write goes through it. Nothing returned, nothing written.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import attrs

from clipsaver.clips.picturing.model import Ending, Job, Pictured, PictureState, Unmade
from clipsaver.media.probe.model import Facts, Picture
from clipsaver.postgres.pool import Connection
from clipsaver.postgres.rows import structure

# What is due first and in nobody's hand. A lease, or a due time, that reaches further than any can is from before the
# server's clock was set back. With the claim it goes behind all others that are due: should the program die over it,
# those come first.
CLAIM: Final = """
with moment as materialized (
    select clock_timestamp() as now
), due as (
    select t.sha256, b.size from thumbnails t join blobs b on b.sha256 = t.sha256
    where t.state = 'pending' and t.due_at <= (select now from moment) and b.deleting_at is null
      and (t.lease_until is null or t.lease_until not between (select now from moment)
              and (select now from moment) + $2::interval + interval '10 minutes')
    order by t.due_at limit 1 for update of t skip locked
), astray as (
    select t.sha256, b.size from thumbnails t join blobs b on b.sha256 = t.sha256
    where t.state = 'pending' and t.due_at > (select now from moment) + interval '48 hours' and b.deleting_at is null
      and not exists (select from due)
    order by t.due_at limit 1 for update of t skip locked
)
update thumbnails t
set attempts = t.attempts + 1, due_at = (select now from moment), lease_token = $1,
    lease_until = (select now from moment) + $2::interval
from (select * from due union all select * from astray) chosen
where t.sha256 = chosen.sha256
returning t.sha256, chosen.size, t.attempts
"""

RENEW: Final = """
update thumbnails set lease_until = clock_timestamp() + $3::interval where sha256 = $1 and lease_token = $2
returning true
"""

RELEASE: Final = """
update thumbnails set lease_token = null, lease_until = null, attempts = greatest(attempts - 1, 0)
where sha256 = $1 and lease_token = $2
"""

STAYS: Final = """
select b.deleting_at is null from thumbnails t join blobs b on b.sha256 = t.sha256
where t.sha256 = $1 and t.lease_token = $2
"""

MARK_MADE: Final = """
update thumbnails t
set state = 'made', reason = null, reason_code = null, attempts = 0, made_at = clock_timestamp(), lease_token = null,
    lease_until = null, pictures = $4, container = f.container, duration_seconds = f.duration, width = f.width,
    height = f.height, rotation = f.rotation, frame_rate = f.frame_rate, video_codec = f.video_codec,
    audio_codec = f.audio_codec, has_audio = f.has_audio, pixel_format = f.pixel_format,
    plays_in_browsers = f.plays_in_browsers
from json_to_record($3::json) as f (
         container text, duration float8, width integer, height integer, rotation integer, frame_rate float8,
         video_codec text, audio_codec text, has_audio boolean, pixel_format text, plays_in_browsers boolean
     ), blobs b
where t.sha256 = $1 and t.lease_token = $2 and b.sha256 = t.sha256 and b.deleting_at is null
returning true
"""

MARK_ENDED: Final = """
update thumbnails t
set state = $3, reason_code = $4, reason = $5,
    due_at = case when $6::interval is null then t.due_at else clock_timestamp() + $6::interval end,
    attempts = case when $7::boolean then t.attempts else greatest(t.attempts - 1, 0) end,
    lease_token = null, lease_until = null
where t.sha256 = $1 and t.lease_token = $2
returning true
"""

# Of a video that could not be shown; before the lease is given up.
WRITE_FACTS: Final = """
update thumbnails t
set container = f.container, duration_seconds = f.duration, width = f.width, height = f.height, rotation = f.rotation,
    frame_rate = f.frame_rate, video_codec = f.video_codec, audio_codec = f.audio_codec, has_audio = f.has_audio,
    pixel_format = f.pixel_format, plays_in_browsers = f.plays_in_browsers
from json_to_record($3::json) as f (
         container text, duration float8, width integer, height integer, rotation integer, frame_rate float8,
         video_codec text, audio_codec text, has_audio boolean, pixel_format text, plays_in_browsers boolean
     )
where t.sha256 = $1 and t.lease_token = $2
"""

# In order, as pages write them; few at a time, since the same file can have been posted any number of times.
FILL_CLIPS: Final = """
with bare as (
    select clip_id from clips
    where sha256 = $1 and state = 'stored'
      and ((width is null and $2::integer is not null) or (height is null and $3::integer is not null)
           or (duration_seconds is null and $4::float8 is not null))
    order by clip_id limit $5 for update
)
update clips c
set width = coalesce(c.width, $2), height = coalesce(c.height, $3),
    duration_seconds = coalesce(c.duration_seconds, $4)
from bare where c.clip_id = bare.clip_id
returning true
"""

# What failed, and what waits for its next attempt; not what somebody has in hand.
RETRY_CLIP: Final = """
update thumbnails t
set state = 'pending', reason = null, reason_code = null, attempts = 0, due_at = clock_timestamp()
from clips c
where c.clip_id = $1 and t.sha256 = c.sha256
  and (t.state = 'failed' or (t.state = 'pending' and t.due_at > clock_timestamp()))
  and (t.lease_until is null or t.lease_until < clock_timestamp())
returning true
"""

RETRY: Final = """
with chosen as (
    select t.sha256 from thumbnails t
    where t.state = any('{failed,pending}') and (t.state = 'failed' or t.due_at > clock_timestamp())
      and (t.lease_until is null or t.lease_until < clock_timestamp())
      and ($1::bigint is null or exists (
          select from clips c
          where c.sha256 = t.sha256 and c.guild_id = $1 and ($2::bigint[] is null or c.channel_id = any($2))
      ))
    limit $3 for update of t skip locked
)
update thumbnails t
set state = 'pending', reason = null, reason_code = null, attempts = 0, due_at = clock_timestamp()
from chosen where t.sha256 = chosen.sha256
returning true
"""

# As far as counting is quick: after an upgrade all the videos there are can wait.
UNMADE: Final = """
(select 'pending' as state, null as reason, count(*) as videos
 from (select from thumbnails where state = 'pending' order by due_at limit $1) waiting)
union all
(select 'failed', reason, count(*)
 from (select reason from thumbnails where state = 'failed' order by due_at limit $1) bare group by reason)
"""

# A video that has its pictures is not in the index: what has none is looked at, and of that so many at most.
UNMADE_OF_CHANNEL: Final = """
with bare as materialized (
    (select sha256, state, reason from thumbnails where state = 'failed' order by due_at limit $2)
    union all
    (select sha256, state, null from thumbnails where state = 'pending' order by due_at limit $2)
)
select t.state::text as state, t.reason, count(c.clip_id) as clips, (select count(*) from bare) as looked_at
from bare t left join clips c on c.sha256 = t.sha256 and c.channel_id = $1 and c.state = 'stored'
group by t.state, t.reason
"""


async def claim(conn: Connection, *, token: UUID, lease: timedelta) -> Job | None:
    """Take the video that is due first; None when there is none."""
    row = await conn.fetchrow(CLAIM, token, lease)
    return None if row is None else structure(row, Job)


async def renew(conn: Connection, sha256: bytes, *, token: UUID, lease: timedelta) -> bool:
    """Keep the lease; False when it is another's now."""
    return await conn.fetchval(RENEW, sha256, token, lease) is True


async def release(conn: Connection, sha256: bytes, *, token: UUID) -> None:
    """Give up the lease as if it had never been had."""
    await conn.execute(RELEASE, sha256, token)


async def stays(conn: Connection, sha256: bytes, *, token: UUID) -> bool | None:
    """Whether the bytes are there to stay; None when the lease is another's, or they are gone."""
    found: bool | None = await conn.fetchval(STAYS, sha256, token)
    return found


async def mark_made(conn: Connection, sha256: bytes, *, token: UUID, facts: Facts, pictures: Sequence[Picture]) -> bool:
    """Write what was found out, and give up the lease; False when that is another's, or the bytes are being removed."""
    sizes = {picture.name: [picture.width, picture.height] for picture in pictures}
    return await conn.fetchval(MARK_MADE, sha256, token, _document(facts), sizes) is True


async def mark_ended(conn: Connection, sha256: bytes, *, token: UUID, ending: Ending) -> bool:
    """Write why there are no pictures, and give up the lease; False when that is another's."""
    if ending.facts is not None:
        await conn.execute(WRITE_FACTS, sha256, token, _document(ending.facts))
    return (
        await conn.fetchval(
            MARK_ENDED, sha256, token, ending.state, ending.why, ending.reason, ending.delay, ending.counts
        )
        is True
    )


async def fill_clips(conn: Connection, sha256: bytes, *, facts: Facts, limit: int) -> int:
    """Write into clips of these bytes what Discord did not say of them; how many were written."""
    return len(await conn.fetch(FILL_CLIPS, sha256, facts.width, facts.height, facts.duration, limit))


async def retry_clip(conn: Connection, clip_id: str) -> int:
    """Have a clip's video tried again; how many that were."""
    return len(await conn.fetch(RETRY_CLIP, clip_id))


async def retry(conn: Connection, guild_id: int | None, *, channels: Sequence[int] | None = None, limit: int) -> int:
    """Have a server's videos tried again, or those of some of its channels, or everybody's; how many."""
    return len(await conn.fetch(RETRY, guild_id, channels, limit))


async def unmade_of_channel(conn: Connection, channel_id: int, *, most: int) -> Unmade:
    """Count a channel's clips without pictures, among the first so many of all servers."""
    states: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    looked_at = 0
    for row in await conn.fetch(UNMADE_OF_CHANNEL, channel_id, most):
        looked_at = row["looked_at"]
        states[row["state"]] += row["clips"]
        if row["reason"] is not None and row["clips"]:
            reasons[row["reason"]] += row["clips"]
    return Unmade(
        waiting=states[PictureState.PENDING],
        failed=states[PictureState.FAILED],
        reasons=dict(reasons),
        at_least=looked_at >= most,
    )


async def pictured(conn: Connection, *, most: int) -> Pictured:
    """Count the videos without pictures, up to so many of each state."""
    states: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for row in await conn.fetch(UNMADE, most):
        states[row["state"]] += row["videos"]
        if row["reason"] is not None:
            reasons[row["reason"]] += row["videos"]
    return Pictured(waiting=states[PictureState.PENDING], failed=states[PictureState.FAILED], reasons=dict(reasons))


def _document(facts: Facts) -> Mapping[str, Any]:
    return attrs.asdict(facts) | {"plays_in_browsers": facts.plays_in_browsers}

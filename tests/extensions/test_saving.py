"""What is saved, and another try, from the person's question to the rows."""

import pytest

from clipsaver.clips.saving.figures import store as figures
from clipsaver.clips.saving.model import MEBIBYTE, HaltKind
from clipsaver.errors import BadInput
from clipsaver.extensions.scan import _for
from clipsaver.simulator.person import Reply
from tests.extensions.play import Play, playing
from tests.extensions.stage import Stage

RUN = "12345678-1234-5678-1234-567812345678"


async def audited(stage: Stage) -> list[tuple[int, str, int]]:
    """Return who had how many clips tried again."""
    rows = await stage.pool.fetch("select actor_user_id, action, details from audit order by id")
    return [(row["actor_user_id"], row["action"], row["details"]["clips"]) for row in rows]


async def press_again(play: Play, status: Reply, by: int | None = None) -> Reply:
    """Press the button under a status, and wait for what comes of it."""
    pressed = await play.person(by or play.stage.moderator).press(status, "Try again")
    return await pressed.wait_for(lambda now: "again" in now.text.splitlines()[0] or "You" in now.text)


async def test_status(play: Play) -> None:
    """The channel's clips and the server's, with the reasons, whether or not there was a scan."""
    stage = play.stage
    await stage.find_clips(stage.clips, "stored", "pending", "failed", "failed", reason="wrong_content")
    await stage.find_clips(stage.lobby, "stored", "gone", reason="gone")
    status = await play.ask("/scan status", channel=stage.clips)
    assert "has not been scanned yet" in status.text
    assert "Here: **1** clip saved, 0 bytes · 1 waiting · 2 failed\n- 2 files are no videos that I know" in status.text
    assert "This server: **2** clips saved, 0 bytes · 1 waiting · 2 failed · 1 gone" in status.text
    assert "[Try again]" in status.text
    await stage.begin(stage.lobby)
    other = await play.ask("/scan status", channel=stage.lobby)
    assert "- 1 was deleted on Discord before it could be saved" in other.text
    assert "[Try again]" not in other.text


async def test_status_of_what_is_in_the_way(play: Play) -> None:
    """Settings, the server's room and a storage without any are named with what can be done."""
    stage = play.stage
    await stage.find_clips(stage.clips, "skipped", reason="over_quota")
    await play.ask("/settings set", key="storage_quota_gb", value="1")
    await play.ask("/settings set", key="save_bytes", value="no", channel=stage.clips)
    async with stage.pool.acquire() as conn:
        await conn.execute("insert into saving_halts values ($1, 'trouble', 5, now() - interval '2 minutes')", RUN)
        status = await play.ask("/scan status", channel=stage.clips)
        assert "Nothing is saved at the moment" not in status.text
        await figures.set_halt(conn, RUN, kind=HaltKind.FULL, free=3 * MEBIBYTE)  # type: ignore[arg-type]  # as text
    status = await play.ask("/scan status", channel=stage.clips)
    for expected in (
        "0 bytes of 1 GB (0 %) · 1 left out",
        "`/settings set save_bytes yes`",
        "raise `storage_quota_gb`",
        "the storage has 3 MB left for clips",
    ):
        assert expected in status.text
    assert "[Try again]" not in status.text


async def test_retry_here_and_there(play: Play) -> None:
    """Only the channel that is meant; who asked for how many is written down."""
    stage = play.stage
    await stage.find_clips(stage.clips, "failed", "skipped", "gone", "stored", "pending", reason="refused")
    await stage.find_clips(stage.lobby, "failed", reason="refused")
    reply = await play.ask("/scan retry", channel=stage.clips)
    assert reply.text == f"2 clips in <#{stage.clips}> will be tried again."
    assert await stage.clip_states(stage.clips) == ["pending", "pending", "gone", "stored", "pending"]
    assert await stage.clip_states(stage.lobby) == ["failed"]
    here = await play.ask("/scan retry")
    assert here.text == f"1 clip in <#{stage.lobby}> will be tried again."
    again = await play.ask("/scan retry")
    assert again.text == f"There is nothing to try again in <#{stage.lobby}>."
    assert await audited(stage) == [(stage.moderator, "clips.retried", 2), (stage.moderator, "clips.retried", 1)]


async def test_retry_for_a_reason(play: Play) -> None:
    """Also what is gone, if that is the reason that is named."""
    stage = play.stage
    await stage.find_clips(stage.clips, "failed", reason="refused")
    await stage.find_clips(stage.clips, "skipped", reason="too_large")
    await stage.find_clips(stage.clips, "gone", reason="gone")
    await play.ask("/scan retry", channel=stage.clips, reason="too_large")
    assert await stage.clip_states(stage.clips) == ["failed", "pending", "gone"]
    await play.ask("/scan retry", channel=stage.clips, reason="gone")
    assert await stage.clip_states(stage.clips) == ["failed", "pending", "pending"]


def test_a_reason_that_was_not_offered() -> None:
    """What a forged client names is refused by its option."""
    with pytest.raises(BadInput, match="I can't use what was given for `reason`"):
        _for("whatever")


async def test_retry_everywhere(play: Play) -> None:
    """In the channels that the person can see, and in no others."""
    stage = play.stage
    for channel in (stage.clips, stage.thread, stage.secret):
        await stage.find_clips(channel, "failed", reason="refused")
    reply = await play.ask("/scan retry", everywhere=True)
    assert reply.text == "2 clips in the channels you can see will be tried again."
    assert await stage.clip_states(stage.secret) == ["failed"]
    owners = await play.ask("/scan retry", by=stage.owner, everywhere=True)
    assert owners.text == "1 clip in the channels you can see will be tried again."


async def give_videos(stage: Stage, channel_id: int, *states: str) -> None:
    """Let a channel have saved clips whose pictures are in these states."""
    for number, state in enumerate(states):
        sha256 = bytes([number]) * 32
        await stage.find_clips(channel_id, "stored")
        await stage.pool.execute("insert into blobs (sha256, size) values ($1, 1024) on conflict do nothing", sha256)
        await stage.pool.execute(
            "update thumbnails set state = $2, reason = case $2::picture_state when 'failed' then 'It is broken.' end "
            "where sha256 = $1",
            *(sha256, state),
        )
        await stage.pool.execute(
            "update clips set sha256 = $1 where clip_id = (select max(clip_id) from clips where sha256 is null)", sha256
        )


async def test_pictures(play: Play) -> None:
    """How many are made, and why others are not; they are tried again beside the clips, and that is written down."""
    stage = play.stage
    await give_videos(stage, stage.clips, "made", "failed", "pending")
    status = await play.ask("/scan status", channel=stage.clips)
    assert "**3** clips saved, 3 KB\nPictures: 1 made · 1 waiting · 1 failed\n- 1 clip: It is broken.\n" in status.text
    pressed = await press_again(play, status)
    assert "1 saved video in" in pressed.text
    assert "Pictures: 1 made · 2 waiting" in pressed.text
    await stage.pool.execute("update thumbnails set state = 'failed'")
    reason = await play.ask("/scan retry", channel=stage.clips, reason="refused")
    assert "nothing to try again" in reason.text
    elsewhere = await play.ask("/scan retry")
    assert "nothing to try again" in elsewhere.text
    reply = await play.ask("/scan retry", everywhere=True)
    assert reply.text == "3 saved videos in the channels you can see will be looked at again for their pictures."
    rows = await stage.pool.fetch("select action, details from audit order by id")
    assert [(row["action"], row["details"]) for row in rows] == [
        ("pictures.retried", {"videos": 1, "channel_id": str(stage.clips)}),
        ("pictures.retried", {"videos": 3}),
    ]


async def test_the_button(stage: Stage) -> None:
    """It does what the command does, shows what came of it, and outlives a restart."""
    await stage.find_clips(stage.clips, "failed", "gone", reason="refused")
    async with playing(stage) as play:
        status = await play.ask("/scan status", channel=stage.clips)
    async with playing(stage) as play:
        pressed = await press_again(play, status)
        assert pressed.text.startswith(f"1 clip in <#{stage.clips}> will be tried again.\n<#{stage.clips}> has not")
        assert "1 waiting · 1 gone" in pressed.text
        assert "[Try again]" not in pressed.text
    assert await audited(stage) == [(stage.moderator, "clips.retried", 1)]


@pytest.mark.parametrize(
    ("permission", "expected"),
    [
        ("manage", "You need Manage Server on this server to do that."),
        ("view", "You can't see that channel: you need View Channel there."),
    ],
)
async def test_who_may_not_press_it(play: Play, permission: str, expected: str) -> None:
    """Who has lost a permission since the status was shown changes nothing."""
    stage = play.stage
    await stage.find_clips(stage.clips, "failed", reason="refused")
    status = await play.ask("/scan status", channel=stage.clips)
    if permission == "manage":
        role = next(one for one in stage.world.guilds[stage.guild_id].roles.values() if one.name == "watch")
        stage.world.set_role_permissions(stage.guild_id, role.id, 0)
    else:
        stage.world.set_overwrite(stage.clips, stage.guild_id, deny=1 << 10)
        await stage.know()
    assert (await press_again(play, status)).text == expected
    assert await stage.clip_states(stage.clips) == ["failed"]
    assert await audited(stage) == []

"""Clips that are written out as files: what is there in the end, whatever was there before."""

from tests.clips.portable.house import CHANNEL, House, message_id


async def test_a_clip_is_a_file(house: House) -> None:
    """Its name tells who posted it when; it is in the list, in the sums, and on a page."""
    clip_id = await house.clip(data=b"moving", title="Double kill")
    tally = await house.export()
    assert (1, 1, 6, 0) == (tally.clips, tally.written, tally.bytes, tally.left_out.total())
    name = "clips/Friends/clips/2026-01-02 03.04.05 \N{EN DASH} Ann \N{EN DASH} Double kill.mp4"
    assert [name] == house.files()
    assert b"moving" == (house.folder / name).read_bytes()
    head, clip, end = house.lines()
    assert ("channel", "clipsaver-export", 1, "10", "500") == tuple(
        head[key] for key in ("kind", "format", "version", "guild_id", "channel_id")
    )
    assert (clip_id, str(message_id(0, 7001)), "42", name) == tuple(
        clip[key] for key in ("clip_id", "message_id", "author_id", "file")
    )
    assert {"kind": "end", "clips": 1, "bytes": 6} == end
    assert "" == house.checked().stderr
    assert 0 == house.checked().returncode
    assert "Double kill" in (house.folder / f"pages/10/{CHANNEL}-1.html").read_text()
    assert "1 clip" in (house.folder / "index.html").read_text()


async def test_again_changes_nothing(house: House) -> None:
    """Not one file is touched."""
    for seconds in range(3):
        await house.clip(seconds)
    await house.export()
    before = {path: path.stat().st_ino for path in house.folder.rglob("*")}
    tally = await house.export()
    assert (3, 0, 3) == (tally.clips, tally.written, tally.kept)
    assert before == {path: path.stat().st_ino for path in house.folder.rglob("*")}

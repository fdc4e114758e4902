"""Clips that are taken back."""

from pathlib import Path

from tests.clips.portable.house import House


async def test_there_and_back(house: House, other: House, tmp_path: Path) -> None:
    """What is exported from where it was taken to is the same to the byte."""
    for seconds in range(5):
        await house.clip(seconds // 2, title=f"Title {seconds}", content="hello", participants=[1, 2], game="chess")
    await house.export()
    first = house.everything()
    tally = await other.take()
    assert (5, 5, 0) == (tally.clips, tally.written, tally.left_out.total())
    await other.check()
    other.folder = tmp_path / "again"
    await other.export()
    assert first == other.everything()

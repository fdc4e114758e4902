"""Pictures of videos: how many a second, beside the ffmpeg command line making the same from the same files.

Run as ``python -m bench.pictures``; ``--short`` takes ten seconds. ffmpeg decodes with as many threads as it likes,
and makes both stills and the moving preview in one run, from a second that it is told; it looks for no better frame.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import imageio_ffmpeg  # type: ignore[import-untyped]  # it has none
import structlog
from attrs import frozen

from bench.measuring import say
from bench.report import table
from clipsaver.media.probe.studio import Studio

GOAL: Final = 0.4
"""Our pictures a second, of ffmpeg's."""
STILLS: Final = "-quality 80 -compression_level 2"
PREVIEW: Final = "-quality 50 -compression_level 1 -loop 0"


@frozen(kw_only=True)
class Clip:
    """A file to look at, drawn by ffmpeg itself."""

    name: str
    size: str
    rate: int
    seconds: int
    codec: str


CLIPS: Final = (
    Clip(
        name="h264-1080p30.mp4",
        size="1920x1080",
        rate=30,
        seconds=12,
        codec="libx264 -preset veryfast -pix_fmt yuv420p",
    ),
    Clip(
        name="h264-720p60.mp4", size="1280x720", rate=60, seconds=8, codec="libx264 -preset veryfast -pix_fmt yuv420p"
    ),
    Clip(
        name="hevc-1080p30.mp4",
        size="1920x1080",
        rate=30,
        seconds=6,
        codec="libx265 -preset ultrafast -pix_fmt yuv420p",
    ),
    Clip(
        name="vp9-720p30.webm", size="1280x720", rate=30, seconds=6, codec="libvpx-vp9 -deadline realtime -cpu-used 8"
    ),
    Clip(name="av1-720p30.mp4", size="1280x720", rate=30, seconds=6, codec="libsvtav1 -preset 12"),
    Clip(name="h264-360p30.mp4", size="640x360", rate=30, seconds=5, codec="libx264 -preset veryfast -pix_fmt yuv420p"),
)


@frozen(kw_only=True)
class Form:
    """How much is measured."""

    rounds: int
    clips: Sequence[Clip]


FULL: Final = Form(rounds=7, clips=CLIPS)
SHORT: Final = Form(rounds=1, clips=(CLIPS[1], CLIPS[5]))


def draw(ffmpeg: str, clip: Clip, folder: Path) -> Path:
    """Make a file; patterns that move, and a tone."""
    path = folder / clip.name
    picture = f"testsrc2=size={clip.size}:rate={clip.rate}:duration={clip.seconds}"
    sound = "libopus" if path.suffix == ".webm" else "aac"
    command = [ffmpeg, "-y", "-loglevel", "error", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i"]
    command += [f"sine=duration={clip.seconds}", "-c:v", *clip.codec.split(), "-c:a", sound, str(path)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - the bench's own binary
    return path


def by_ffmpeg(ffmpeg: str, path: Path, second: float) -> None:
    """Both stills and the preview, in one run."""
    graph = (
        "[0:v]split=3[a][b][c];[a]scale=640:-2,trim=end_frame=1[large];[b]scale=320:-2,trim=end_frame=1[little];"
        "[c]fps=8,scale=320:-2[moving]"
    )
    command = [
        ffmpeg,
        "-y",
        "-loglevel",
        "error",
        "-ss",
        str(second),
        "-t",
        "3",
        "-i",
        str(path),
        "-filter_complex",
        graph,
    ]
    for stream, how, name in (("large", STILLS, "640"), ("little", STILLS, "320")):
        command += ["-map", f"[{stream}]", "-c:v", "libwebp", *how.split(), "-frames:v", "1", f"{path}-{name}.webp"]
    command += ["-map", "[moving]", "-c:v", "libwebp_anim", *PREVIEW.split(), f"{path}-preview.webp"]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - the bench's own binary


async def by_us(studio: Studio, path: Path) -> None:
    """The same, and facts, in a child of ours; nothing may be missing."""
    examined = await studio.examine(path)
    if [picture.name for picture in examined.pictures] != ["320", "640", "preview"]:
        raise RuntimeError(f"{path.name}: not all pictures were made")


async def pictures(folder: Path, form: Form) -> dict[str, Any]:
    """Seconds for each file, ours and ffmpeg's, taken in turns."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    studio = Studio()
    rows: list[dict[str, Any]] = []
    for clip in form.clips:
        say(f"pictures: {clip.name}")
        path = await asyncio.to_thread(draw, ffmpeg, clip, folder)
        ours, theirs = [], []
        for _ in range(form.rounds):
            begun = time.perf_counter()
            await by_us(studio, path)
            between = time.perf_counter()
            await asyncio.to_thread(by_ffmpeg, ffmpeg, path, 0.1 * clip.seconds)
            ours.append(between - begun)
            theirs.append(time.perf_counter() - between)
        rows.append({"file": clip.name, "ours": median(ours), "ffmpeg": median(theirs)})
    ratio = sum(row["ffmpeg"] for row in rows) / sum(row["ours"] for row in rows)
    return {"rows": rows, "ratio": ratio, "goal": GOAL, "passed": ratio >= GOAL, "start": await _start(studio, folder)}


async def _start(studio: Studio, folder: Path) -> float:
    """Seconds that a child takes before it looks at anything: with a file that is no video."""
    nothing, taken = folder / "nothing", []
    nothing.touch()
    for _ in range(5):
        begun = time.perf_counter()
        await studio.barriers()
        taken.append(time.perf_counter() - begun)
    return median(taken)


def text(result: Mapping[str, Any]) -> str:
    """The figures, for a person."""
    rows = [
        [row["file"], f"{1 / row['ours']:.2f}", f"{1 / row['ffmpeg']:.2f}", f"{row['ffmpeg'] / row['ours']:.2f}"]
        for row in result["rows"]
    ]
    return (
        f"{table(['videos a second', 'clipsaver', 'ffmpeg', 'ratio'], rows)}\n"
        f"all together {result['ratio']:.2f} times ffmpeg's speed (goal: {result['goal']}); "
        f"a child takes {result['start'] * 1000:.0f} ms to start"
    )


def main() -> int:
    """Measure, and say whether the goal was reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(20))
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(pictures(Path(folder), SHORT if options.short else FULL))
    print(text(result))
    if options.json is not None:
        options.json.write_text(json.dumps(result))
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())

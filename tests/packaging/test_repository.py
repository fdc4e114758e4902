"""The files around the source keep what they promise."""

import re
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
README = (TOP / "README.md").read_text(encoding="utf-8")
PINNED = sorted(path.name for path in (TOP / "requirements").glob("*.txt"))


def tracked() -> list[Path]:
    """Every file of the repository that is text."""
    asked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - whichever git there is
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        pytest.skip("this is no git checkout")
    files = [TOP / name for name in asked.stdout.split("\0") if name]
    return [file for file in files if file.is_file() and b"\0" not in file.read_bytes()[:8_000]]


def test_the_readme_opens_with_the_two_commands() -> None:
    """Both in its first lines, and the second is the one that the checks run by."""
    opening = README.splitlines()[:20]
    assert '    pip install "nox[uv]" && nox -s demo' in opening
    assert '    pip install "nox[uv]" && nox' in opening


def test_the_invite_link_asks_for_what_the_table_says() -> None:
    """The number is the sum of the permissions' bits."""
    (number,) = re.findall(r"&permissions=(\d+)", README)
    bits = {
        "View Channel": 10,
        "Send Messages": 11,
        "Embed Links": 14,
        "Attach Files": 15,
        "Read Message History": 16,
        "Connect": 20,
        "Send Messages in Threads": 38,
    }
    assert int(number) == sum(1 << bit for bit in bits.values())
    assert all(name in README for name in bits)


def test_links_lead_somewhere() -> None:
    """Every file that the README and the documents link to is there."""
    for document in (TOP / "README.md", *sorted((TOP / "docs").rglob("*.md"))):
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_no_package_index_is_named() -> None:
    """Where packages come from is each machine's own business."""
    hosts = "|".join(("py" + r"pi\.org", "python" + r"hosted\.org", r"registry\.npm" + "js", r"deb\.deb" + "ian"))
    named = [file.name for file in tracked() if re.search(hosts, file.read_text(encoding="utf-8", errors="replace"))]
    assert named == []


@pytest.mark.parametrize("name", PINNED)
def test_every_package_is_pinned_by_its_hashes(name: str) -> None:
    """Nothing is installed that is not exactly what was tried."""
    text = (TOP / "requirements" / name).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    for entry in entries:
        assert re.match(r"[a-z0-9._-]+==\S+", entry), entry[:80]
        assert "--hash=sha256:" in entry, entry[:80]


def test_packages_have_one_version_everywhere() -> None:
    """Sessions install several of these files together."""
    versions: dict[str, set[str]] = {}
    for name in PINNED:
        text = (TOP / "requirements" / name).read_text(encoding="utf-8")
        pins: dict[str, set[str]] = {}
        for package, version in re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE):
            pins.setdefault(package, set()).add(version)
        for package, found in pins.items():
            assert versions.setdefault(package, found) == found, f"{package} in {name}"


def test_the_container_can_use_buckets() -> None:
    """It holds what the program needs, and what buckets need, and nothing else."""
    run, container = (
        set(
            re.findall(r"^([a-z0-9._-]+==\S+)", (TOP / "requirements" / name).read_text(encoding="utf-8"), re.MULTILINE)
        )
        for name in ("run.txt", "container.txt")
    )
    assert [pin.partition("==")[0] for pin in container - run] == ["obstore"]
    assert run <= container


def test_the_container_is_built_from_named_releases_and_runs_as_nobody_special() -> None:
    """No `latest`, hashes checked, not root, reachable from outside, watched."""
    lines = (TOP / "Containerfile").read_text(encoding="utf-8")
    images = re.findall(r"^FROM (\S+)", lines, re.MULTILINE)
    assert len(images) == 2
    assert all(re.search(r":\d+\.\d+", image) for image in images)
    assert "--require-hashes" in lines
    assert "requirements/container.txt" in lines
    assert re.search(r"^USER \d+$", lines, re.MULTILINE)
    assert "CLIPSAVER_WEB_HOST=0.0.0.0" in lines
    assert "HEALTHCHECK" in lines
    assert not re.search(r"(?i)token=|secret=", lines)

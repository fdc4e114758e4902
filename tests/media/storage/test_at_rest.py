"""Whether a folder lies on an encrypted disk: on made-up machines, and on this one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from clipsaver.media.storage import at_rest
from clipsaver.media.storage.at_rest import AtRest, Machine

Make = Callable[..., Machine]


@pytest.fixture
def machine(tmp_path: Path) -> Make:
    """Make a machine with these mounts, and a disk ``vda`` with the partition ``vda1``."""

    def made(*mounts: str) -> Machine:
        (tmp_path / "mountinfo").write_text("\n".join(["spoiled", *mounts]), encoding="utf-8")
        device(tmp_path, "vda1", "8:1")
        return Machine(mounts=tmp_path / "mountinfo", sys=tmp_path / "sys")

    return made


def mount(at: object, kind: str = "ext4", device: str = "8:1", source: str = "/dev/vda1") -> str:
    """A line as the kernel writes it."""
    return f"36 35 {device} / {at} rw,noatime shared:1 master:2 - {kind} {source} rw"


def device(tmp_path: Path, name: str, number: str, *slaves: str, uuid: str | None = None) -> None:
    """Have the kernel tell of a device, by its number and by its name."""
    folder = tmp_path / "sys" / "devices" / name
    (folder / "slaves").mkdir(parents=True, exist_ok=True)
    for slave in slaves:
        (folder / "slaves" / slave).symlink_to(tmp_path / "sys" / "devices" / slave)
    if uuid is not None:
        (folder / "dm").mkdir()
        (folder / "dm" / "uuid").write_text(uuid, encoding="ascii")
    for link in (tmp_path / "sys/dev/block" / number, tmp_path / "sys/class/block" / name):
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(folder)


def test_a_plain_disk(machine: Make, tmp_path: Path) -> None:
    """None is to be seen."""
    assert machine(mount("/")).at_rest(tmp_path) == AtRest(encrypted=False, how="ext4 on vda1")


def test_luks(machine: Make, tmp_path: Path) -> None:
    """Under the file system, or under the volumes that it is on, or under all disks of an array."""
    made = machine(mount("/", device="253:2"))
    device(tmp_path, "dm-0", "253:0", "vda1", uuid="CRYPT-LUKS2-abc-home")
    device(tmp_path, "dm-1", "253:1", "vda1", uuid="CRYPT-LUKS2-def-home")
    device(tmp_path, "dm-2", "253:2", "dm-0", "dm-1", uuid="LVM-xyz")
    device(tmp_path, "md0", "9:0", "dm-0", "vda1")
    assert made.at_rest(tmp_path) == AtRest(encrypted=True, how="dm-crypt")
    assert machine_with(made, mount("/", device="253:0")).at_rest(tmp_path).encrypted
    assert machine_with(made, mount("/", device="9:0")).at_rest(tmp_path).encrypted is False


def machine_with(machine: Machine, *mounts: str) -> Machine:
    """The same with other mounts."""
    machine.mounts.write_text("\n".join(mounts), encoding="utf-8")
    return machine


def test_devices_in_a_circle(machine: Make, tmp_path: Path) -> None:
    """They are followed so far and no farther."""
    made = machine(mount("/", device="253:0"))
    device(tmp_path, "dm-0", "253:0", "dm-0", uuid="LVM-xyz")
    assert made.at_rest(tmp_path).encrypted is False


def test_numbers_of_their_own(machine: Make, tmp_path: Path) -> None:
    """Some file systems give themselves one that no device has: their source is looked for by its name."""
    made = machine(mount("/", kind="btrfs", device="0:42"))
    assert made.at_rest(tmp_path) == AtRest(encrypted=False, how="btrfs on vda1")
    other = machine_with(made, mount("/", kind="btrfs", device="0:42", source="none"))
    assert other.at_rest(tmp_path) == AtRest(encrypted=None, how="btrfs, on a device that can't be seen")


def test_the_deepest_mount_counts(machine: Make, tmp_path: Path) -> None:
    """Of several at one place the last; their names can have spaces in them."""
    folder = tmp_path / "my clips"
    folder.mkdir()
    escaped = str(folder).replace(" ", "\\040")
    made = machine(mount(escaped), mount(escaped, kind="ecryptfs"), mount("/"), mount("/elsewhere"))
    assert made.at_rest(folder) == AtRest(encrypted=True, how="ecryptfs")
    assert made.at_rest(tmp_path).encrypted is False


@pytest.mark.parametrize(
    ("kind", "encrypted", "how"),
    [
        ("fuse.gocryptfs", True, "gocryptfs"),
        ("fuse.sshfs", None, "fuse.sshfs"),
        ("nfs4", None, "nfs4"),
        ("overlay", None, "overlay"),
        ("tmpfs", None, "tmpfs: it is in memory, and gone when the machine ends"),
        ("zfs", None, "ZFS: `zfs get encryption pool/clips` tells"),
    ],
)
def test_other_kinds(machine: Make, tmp_path: Path, kind: str, encrypted: bool | None, how: str) -> None:  # noqa: FBT001 - what is expected
    """What their names tell."""
    made = machine(mount("/", kind=kind, device="0:50", source="pool/clips"))
    assert made.at_rest(tmp_path) == AtRest(encrypted=encrypted, how=how)


def test_a_folder_that_the_file_system_encrypts(machine: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is marked so."""
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "ioctl", lambda *_: (at_rest.ENCRYPTED_FLAG | 1).to_bytes(8, "little"))
    made = machine(mount("/"))
    assert made.at_rest(tmp_path) == AtRest(encrypted=True, how="fscrypt")
    assert made.at_rest(tmp_path / "missing").encrypted is False


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    """It is not taken for one without encryption."""
    found = Machine(mounts=tmp_path / "missing", sys=tmp_path).at_rest(tmp_path)
    assert found == AtRest(encrypted=None, how="what it lies on can't be seen")


def test_this_machine(tmp_path: Path) -> None:
    """Whatever it says, it says something."""
    assert Machine().at_rest(tmp_path).how

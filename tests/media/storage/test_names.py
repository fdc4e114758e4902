"""The names that other programs rely on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipsaver.media.storage import blob_name, picture_name
from clipsaver.media.storage.names import checked, checked_folder, is_folder, is_name

HASH = bytes(range(171, 203))
HEX = HASH.hex()


def test_names() -> None:
    """Two digits, then the whole hash."""
    assert f"blobs/ab/{HEX}" == blob_name(HASH)
    assert f"thumbnails/ab/{HEX}-320.webp" == picture_name(HASH, 320)
    assert is_name(f"thumbnails/ab/{HEX}-preview.webp")
    assert (True, False) == (is_folder("blobs/ab"), is_folder("blobs"))


@given(st.binary(min_size=32, max_size=32))
def test_what_is_made_is_a_name(sha256: bytes) -> None:
    """And lies in one of the folders that can be listed."""
    for name in (blob_name(sha256), picture_name(sha256, 640)):
        assert name == checked(name)
        assert checked_folder(name.rpartition("/")[0])


@pytest.mark.parametrize("sha256", [b"", HASH[:-1], HASH + b"x"])
def test_only_hashes(sha256: bytes) -> None:
    """Nothing else has 32 bytes."""
    with pytest.raises(ValueError, match="32 bytes"):
        blob_name(sha256)


@pytest.mark.parametrize("width", [-1, 10**21])
def test_only_widths(width: int) -> None:
    """A picture is some pixels wide."""
    with pytest.raises(ValueError, match="no name"):
        picture_name(HASH, width)

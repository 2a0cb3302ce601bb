from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from medistill.core.errors import TargetsError
from medistill.teacher.cache_layout import Layout
from medistill.teacher.cache_shards import (
    check_room,
    full_disk_explained,
    map_shard,
    missing_shards,
    shard_is_intact,
    shard_path,
    shard_writer,
)

LAYOUT = Layout(images=5, views=(1, 2), shapes={"logits": (3,)}, stored="float16", shard_rows=4)
ROWS = np.arange(12, dtype=np.float16).reshape(4, 3)


def write(folder: Path, shard: int = 0, rows: np.ndarray = ROWS) -> None:
    with shard_writer(folder, LAYOUT, shard) as add:
        add(rows[:1])
        add(rows[1:])


def fail_half_way(folder: Path) -> None:
    with shard_writer(folder, LAYOUT, 0) as add:
        add(ROWS[:2])
        raise ValueError("half way")


def test_a_shard_is_read_back_and_by_numpy_too(tmp_path: Path) -> None:
    write(tmp_path)
    np.testing.assert_array_equal(map_shard(tmp_path, LAYOUT, 0), ROWS)
    np.testing.assert_array_equal(np.load(shard_path(tmp_path, 0)), ROWS)
    assert missing_shards(tmp_path, LAYOUT) == [1, 2]
    assert shard_is_intact(tmp_path, LAYOUT, 0)


def test_a_shard_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="half way"):
        fail_half_way(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: b"",
        lambda data: data.replace(b"(4, 3)", b"(3, 4)"),
        lambda data: data.replace(b"<f2", b"<i2"),
    ],
    ids=["short", "long", "empty", "other shape", "other type"],
)
def test_a_shard_of_the_wrong_form_counts_as_missing(tmp_path: Path, damage: object) -> None:
    write(tmp_path)
    path = shard_path(tmp_path, 0)
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    assert missing_shards(tmp_path, LAYOUT) == [0, 1, 2]


def test_a_changed_number_is_found_by_the_digest(tmp_path: Path) -> None:
    write(tmp_path)
    data = bytearray(shard_path(tmp_path, 0).read_bytes())
    data[130] ^= 1
    shard_path(tmp_path, 0).write_bytes(data)
    assert missing_shards(tmp_path, LAYOUT) == [1, 2]
    assert not shard_is_intact(tmp_path, LAYOUT, 0)


def test_room_is_checked_with_both_numbers_in_the_message(tmp_path: Path) -> None:
    check_room(tmp_path, 1)
    with pytest.raises(TargetsError, match=r"needs 9000\.0 TB and the disk has [\d.]+ .B free"):
        check_room(tmp_path, 9_000_000_000_000_000)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_says_what_is_done_and_what_is_needed(tmp_path: Path, number: int) -> None:
    write(tmp_path)
    with (
        pytest.raises(TargetsError, match=r"full after 1 of 3 shards, and 36 bytes more") as caught,
        full_disk_explained(tmp_path, LAYOUT),
    ):
        raise OSError(number, "no")
    assert "finished shards are kept" in caught.value.cure


def test_another_fault_of_the_disk_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), full_disk_explained(tmp_path, LAYOUT):
        raise PermissionError(errno.EACCES, "no")

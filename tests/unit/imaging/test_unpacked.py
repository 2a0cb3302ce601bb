"""A gzipped volume is unpacked once, and its slices are those of the file as it is now."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import nibabel
import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.imaging import unpacked
from medistill.imaging.masks import read_mask
from medistill.imaging.reader import decode_image, read_image
from medistill.imaging.unpacked import kept_volume

VOXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 7)).astype(np.uint8)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Of each file that is unpacked the size; nothing is kept before and after."""
    found: list[int] = []
    unzip = unpacked._unzip

    def counted(file: IO[bytes], plain: IO[bytes], size: int) -> None:
        found.append(size)
        unzip(file, plain, size)  # type: ignore[arg-type]

    monkeypatch.setattr(unpacked, "_unzip", counted)
    monkeypatch.setattr(unpacked, "_SHELF", unpacked._Shelf())
    yield found
    for held in unpacked._SHELF.held.values():
        held.plain.close()


def _save(path: Path, voxels: np.ndarray = VOXELS) -> Path:
    nibabel.Nifti1Image(voxels, np.eye(4)).to_filename(path)
    return path


@pytest.mark.parametrize("in_memory", [2**20, 1])
def test_all_slices_are_read_from_one_unpacking(
    tmp_path: Path, sizes: list[int], monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    monkeypatch.setattr(unpacked, "IN_MEMORY", in_memory)
    path, mask = _save(tmp_path / "a.nii.gz"), _save(tmp_path / "m.nii.gz", VOXELS // 128)
    for number in (*range(7), 3):
        # The patient's right on the left, the front on top.
        expected = VOXELS[::-1, ::-1, number].T
        np.testing.assert_allclose(read_image(path, frame=number).pixels, expected / 255)
        np.testing.assert_array_equal(read_mask(mask, frame=number), expected // 128)
    assert sizes == [352 + 6 * 5 * 7] * 2


def test_file_that_was_replaced_is_read_anew(tmp_path: Path, sizes: list[int]) -> None:
    path = _save(tmp_path / "a.nii.gz")
    read_image(path, frame=0)
    _save(path, 255 - VOXELS)
    os.utime(path, ns=(1, 1))
    shown = read_image(path, frame=0).pixels
    np.testing.assert_allclose(shown, (255 - VOXELS[::-1, ::-1, 0].T) / 255)
    assert len(sizes) == 2


def test_a_forked_process_unpacks_for_itself_and_leaves_the_files_of_its_parent(
    tmp_path: Path, sizes: list[int]
) -> None:
    read_image(_save(tmp_path / "a.nii.gz"), frame=0)
    (held,) = unpacked._SHELF.held.values()
    child = os.fork()
    if not child:
        # The exit code tells what the child saw; nothing of the test may run in it.
        empty = not unpacked._SHELF.held
        os._exit(0 if empty and not held.plain.closed else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [each.plain.closed for each in unpacked._SHELF.held.values()] == [False]


SIZE = 352 + 6 * 5 * 7


def _unpackings(sizes: list[int], paths: list[Path], order: str) -> int:
    before = len(sizes)
    for number in order:
        read_image(paths[int(number)], frame=int(number))
    return len(sizes) - before


def test_slices_are_read_in_any_order_while_their_volumes_take_little(
    tmp_path: Path, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [_save(tmp_path / f"{n}.nii.gz") for n in range(5)]
    monkeypatch.setattr(unpacked, "KEPT_BYTES", 4 * SIZE)
    assert _unpackings(sizes, paths, "01230321") == 4
    first = next(iter(unpacked._SHELF.held.values())).plain
    # The one that was asked for longest ago makes room.
    assert _unpackings(sizes, paths, "4") == 1
    assert first.closed
    assert _unpackings(sizes, paths, "4321") == 0
    assert _unpackings(sizes, paths, "0") == 1
    held = unpacked._SHELF.held.values()
    assert sum(each.size for each in held) == 4 * SIZE
    assert not any(each.plain.closed for each in held)


def test_two_are_kept_whatever_they_take_and_the_others_closed(
    tmp_path: Path, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacked, "KEPT_BYTES", 1)
    paths = [_save(tmp_path / f"{n}.nii.gz") for n in range(3)]
    read_image(paths[0], frame=0)
    first = next(iter(unpacked._SHELF.held.values())).plain
    assert _unpackings(sizes, paths, "0121") == 2
    assert len(unpacked._SHELF.held) == 2
    assert first.closed


def test_many_small_ones_are_not_all_kept(
    tmp_path: Path, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacked, "_MOST", 3)
    paths = [_save(tmp_path / f"{n}.nii.gz") for n in range(5)]
    assert _unpackings(sizes, paths, "01234") == 5
    assert len(unpacked._SHELF.held) == 3


def test_streams_and_plain_files_are_not_kept(tmp_path: Path, sizes: list[int]) -> None:
    content = _save(tmp_path / "a.nii.gz").read_bytes()
    shown = decode_image(io.BytesIO(content), where="upload", frame=2).pixels
    np.testing.assert_array_equal(shown, read_image(_save(tmp_path / "a.nii"), frame=2).pixels)
    assert sizes == []


def test_slices_before_the_damage_are_still_read(tmp_path: Path, sizes: list[int]) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 40)).astype(np.uint8)
    path = tmp_path / "a.nii.gz"
    whole = gzip.compress(nibabel.Nifti1Image(noise, np.eye(4)).to_bytes())
    path.write_bytes(whole[: len(whole) // 2])
    np.testing.assert_allclose(read_image(path, frame=0).pixels, noise[::-1, ::-1, 0].T / 255)
    with pytest.raises(DataError, match="damaged or truncated"):
        read_image(path, frame=39)
    assert not unpacked._SHELF.held


def test_bomb_gets_no_more_than_its_header_promises(tmp_path: Path, sizes: list[int]) -> None:
    path = tmp_path / "a.nii.gz"
    content = nibabel.Nifti1Image(VOXELS, np.eye(4)).to_bytes()
    path.write_bytes(gzip.compress(content + b"\0" * 2**20))
    with path.open("rb") as stream:
        kept_volume(stream, path)
    plain = next(iter(unpacked._SHELF.held.values())).plain
    assert plain.seek(0, io.SEEK_END) == len(content) == sizes[0]

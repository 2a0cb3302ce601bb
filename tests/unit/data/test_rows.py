"""A piece holds its images in order, and the reason for each that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from medistill.data import reading, rows
from medistill.data.reading import Place, Read
from medistill.data.rows import _reserved, content_hash, lock_of, store_piece
from medistill.imaging.reader import read_image
from medistill.imaging.resize import to_stored
from tests.unit.data.pictures import save_noise


class _Shapes:
    """Tells how many pictures were announced, and their shapes."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._shapes: list[tuple[int, ...] | None] = []

    def see(self, pictures: Sequence[Read]) -> None:
        self._shapes += [None if isinstance(p, str) else p.shape for p in pictures]

    def told(self) -> tuple[int, list[tuple[int, ...] | None]]:
        return self._count, self._shapes


def test_piece_holds_pixels_shapes_and_reasons(tmp_path: Path) -> None:
    paths = [save_noise(tmp_path / f"{n}.png", n, size=(16 + n, 16)) for n in range(3)]
    paths[1].write_text("text")
    places = [Place(str(path), None, "axial") for path in paths]
    pixels = tmp_path / "p.bin"
    pixels.write_bytes(b"seven 16-bit..")
    piece = store_piece(places, path=pixels, stored_size=16, channels="rgb", watcher=_Shapes)
    first, last = (
        to_stored(read_image(paths[row]), stored_size=16, channels="rgb") for row in (0, 2)
    )
    assert piece.rows[0] == (content_hash(first), first.shape, 7, 16)
    assert piece.rows[1] == "is not a PNG, JPEG, TIFF or BMP image, nor DICOM or NIfTI"
    assert piece.rows[2] == (content_hash(last), last.shape, 7 + first.size, 16)
    assert piece.told == (3, [(16, 16), None, (16, 18)])
    flat = np.concatenate([first.ravel(), last.ravel()])
    np.testing.assert_array_equal(np.fromfile(pixels, dtype="<u2", offset=14), flat)


def test_eight_bits_that_are_not_resized_stay_so_and_keep_their_hash(tmp_path: Path) -> None:
    odd = np.arange(15, dtype=np.uint8).reshape(3, 5)
    Image.fromarray(odd).save(tmp_path / "a.png")
    Image.fromarray(odd.astype(np.uint16) * 257).save(tmp_path / "b.png")
    places = [Place(str(tmp_path / name), None, "axial") for name in ("a.png", "b.png", "a.png")]
    pixels = tmp_path / "p.bin"
    pixels.touch()
    piece = store_piece(places, path=pixels, stored_size=3, channels="gray")
    wide = odd.astype("<u2") * 257
    one = content_hash(wide)
    # 15 bytes take 8 words, of which the last is full.
    assert piece.rows == [(one, (3, 5), 0, 8), (one, (3, 5), 8, 16), (one, (3, 5), 23, 8)]
    held = odd.tobytes() + b"\0"
    assert pixels.read_bytes() == held + wide.tobytes() + held


@pytest.mark.parametrize("at_once", [1, 300, 2**22])
def test_rows_do_not_depend_on_how_many_are_written_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    paths = [save_noise(tmp_path / f"{n}.png", n, size=(9, 9)) for n in range(4)]
    places = [Place(str(path), None, "axial") for path in paths]
    monkeypatch.setattr(rows, "_AT_ONCE", at_once)
    monkeypatch.setattr(reading, "AT_ONCE", 81)
    (tmp_path / "p.bin").touch()
    piece = store_piece(places, path=tmp_path / "p.bin", stored_size=9, channels="gray")
    shown = [np.asarray(Image.open(path).convert("L")) for path in paths]
    assert [row[2:] for row in piece.rows] == [(0, 8), (41, 8), (82, 8), (123, 8)]
    held = b"".join(gray.tobytes() + b"\0" for gray in shown)
    assert (tmp_path / "p.bin").read_bytes() == held


def test_what_is_reserved_is_nobody_elses_before_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "p.bin"
    path.touch()
    assert [_reserved(path, size) for size in (10, 4, 0, 6)] == [0, 10, 14, 14]
    assert path.stat().st_size == 20


def test_room_is_reserved_by_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "p.bin"
    path.touch()
    with ThreadPoolExecutor(1) as pool:
        with FileLock(lock_of(path)):
            found = pool.submit(_reserved, path, 10)
            assert not wait([found], timeout=0.2).done
            path.write_bytes(b"other")
        assert found.result(timeout=10) == 5

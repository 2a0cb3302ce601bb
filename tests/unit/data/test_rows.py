"""A piece holds its images in order, and the reason for each that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
from filelock import FileLock

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
    assert piece.rows[0] == (content_hash(first), first.shape, 7)
    assert piece.rows[1] == "is not a PNG, JPEG, TIFF or BMP image, nor DICOM or NIfTI"
    assert piece.rows[2] == (content_hash(last), last.shape, 7 + first.size)
    assert piece.told == (3, [(16, 16), None, (16, 18)])
    flat = np.concatenate([first.ravel(), last.ravel()])
    np.testing.assert_array_equal(np.fromfile(pixels, dtype="<u2", offset=14), flat)


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

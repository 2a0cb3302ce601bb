"""A piece holds its images in order, and the reason for each that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medistill.data.reading import Place, Read
from medistill.data.rows import content_hash, store_piece
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

"""A piece holds its images in order, and the reason for each that cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from medistill.data.processes import Place
from medistill.data.rows import content_hash, stored_piece
from medistill.imaging.reader import read_image
from medistill.imaging.resize import to_stored
from tests.unit.data.pictures import save_noise


def test_piece_holds_pixels_shapes_and_reasons(tmp_path: Path) -> None:
    paths = [save_noise(tmp_path / f"{n}.png", n, size=(16 + n, 16)) for n in range(3)]
    paths[1].write_text("text")
    places = [Place(str(path), None, "axial") for path in paths]
    piece = stored_piece((7, places), folder=tmp_path, stored_size=16, channels="rgb")
    first, last = (
        to_stored(read_image(paths[row]), stored_size=16, channels="rgb") for row in (0, 2)
    )
    assert piece.rows[0] == (content_hash(first), first.shape)
    assert piece.rows[1] == "is not a PNG, JPEG, TIFF or BMP image, nor DICOM or NIfTI"
    assert piece.rows[2] == (content_hash(last), last.shape)
    flat = np.concatenate([first.ravel(), last.ravel()])
    np.testing.assert_array_equal(np.fromfile(piece.path, dtype="<u2"), flat)

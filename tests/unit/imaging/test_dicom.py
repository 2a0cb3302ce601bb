"""Colour, frames and faults of constructed DICOM files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from medistill.core.errors import DataError
from medistill.imaging.dicom import named_faults
from medistill.imaging.reader import decode_image, read_image
from tests.unit.imaging.dicom_files import dataset_of, encoded, save

COLOUR = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)


def test_rgb_is_a_share_of_white(tmp_path: Path) -> None:
    np.testing.assert_allclose(
        read_image(save(tmp_path / "a.dcm", COLOUR)).pixels, COLOUR / 255, atol=1e-7
    )


def test_planar_colour_is_the_same(tmp_path: Path) -> None:
    planes = np.ascontiguousarray(np.moveaxis(COLOUR, -1, 0))
    path = save(tmp_path / "a.dcm", COLOUR, PlanarConfiguration=1, PixelData=planes.tobytes())
    np.testing.assert_allclose(read_image(path).pixels, COLOUR / 255, atol=1e-7)


def test_ybr_of_a_gray_is_that_gray(tmp_path: Path) -> None:
    ybr = np.stack([COLOUR[..., 0], np.full((6, 8), 128), np.full((6, 8), 128)], axis=-1)
    path = save(tmp_path / "a.dcm", ybr.astype(np.uint8), PhotometricInterpretation="YBR_FULL")
    picture = read_image(path)
    expected = np.repeat(COLOUR[..., :1] / 255, 3, axis=-1)
    np.testing.assert_allclose(picture.pixels, expected, atol=1 / 255)
    assert "YBR_FULL to RGB" in picture.history


def test_frames_are_refused_until_one_is_chosen(tmp_path: Path) -> None:
    frames = np.arange(3 * 20, dtype=np.uint8).reshape(3, 4, 5)
    path = save(tmp_path / "a.dcm", frames[0], NumberOfFrames=3, PixelData=frames.tobytes())
    with pytest.raises(
        DataError, match=r"holds 3 frames, one is expected\. List it in a table .* 0 to 2"
    ):
        read_image(path)
    np.testing.assert_allclose(read_image(path, frame=2).pixels, frames[2] / 255, atol=1e-7)
    with pytest.raises(DataError, match="has no frame 3: it holds 3"):
        read_image(path, frame=3)


def test_stream_without_name_or_preamble_is_read() -> None:
    data = encoded(dataset_of(COLOUR))
    np.testing.assert_allclose(
        decode_image(io.BytesIO(data), where="upload").pixels, COLOUR / 255, atol=1e-7
    )
    np.testing.assert_allclose(
        decode_image(io.BytesIO(data[132:]), where="upload").pixels, COLOUR / 255, atol=1e-7
    )


def test_pixels_cannot_be_changed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        read_image(save(tmp_path / "a.dcm", COLOUR)).pixels[0, 0] = 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RecursionError(), "nested too deeply"),
        (MemoryError(), "too large to be read"),
        (KeyError("x"), r"damaged DICOM \('x'\)"),
        (BaseException("index out of bounds"), r"damaged DICOM \(index out of bounds\)"),
        (ValueError("a\0b\x1b" + "c" * 999), r"damaged DICOM \(a b c{200,300}…"),
    ],
)
def test_any_fault_of_a_parser_is_one_sentence(error: BaseException, words: str) -> None:
    with pytest.raises(DataError, match=words), named_faults("a.dcm"):
        raise error


def test_who_stops_the_program_is_heard() -> None:
    with pytest.raises(KeyboardInterrupt), named_faults("a.dcm"):
        raise KeyboardInterrupt

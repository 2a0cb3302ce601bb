"""JPEG of 12 bits and lossless JPEG: every depth, sign and colour as before it was packed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from imagecodecs import jpeg8_encode, ljpeg_encode
from numpy.typing import NDArray
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1

from medistill.core.errors import DataError
from medistill.imaging import dicom_jpeg
from medistill.imaging.reader import read_image
from tests.unit.imaging.dicom_files import dataset_of, save

DRAW = np.random.default_rng(0)
COLOUR = DRAW.integers(0, 256, (24, 40, 3)).astype(np.uint8)


def _packed(
    path: Path, syntax: UID, data: bytes, pixels: NDArray[np.generic], **elements: object
) -> Path:
    dataset = dataset_of(pixels, **elements)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([data])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path, enforce_file_format=True)
    return path


def _gray(bits: int) -> NDArray[np.unsignedinteger]:
    values = DRAW.integers(0, 2**bits, (24, 40))
    return values.astype(np.uint8 if bits <= 8 else np.uint16)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("predictor", [1, 4, 7])
def test_lossless_gray_keeps_every_value(tmp_path: Path, bits: int, predictor: int) -> None:
    values = _gray(bits)
    data = jpeg8_encode(values, lossless=True, bitspersample=bits, predictor=predictor)
    syntax = JPEGLosslessSV1 if predictor == 1 else JPEGLossless
    found = read_image(_packed(tmp_path / "a.dcm", syntax, data, values, bits=bits))
    np.testing.assert_allclose(found.pixels, values / (2**bits - 1), atol=1e-7)


def test_another_librarys_stream_is_read(tmp_path: Path) -> None:
    values = _gray(12)
    data = ljpeg_encode(values, bitspersample=12)
    found = read_image(_packed(tmp_path / "a.dcm", JPEGLosslessSV1, data, values, bits=12))
    np.testing.assert_allclose(found.pixels, values / 4095, atol=1e-7)


def test_signed_ct_is_the_same_packed_or_not(tmp_path: Path) -> None:
    values = DRAW.integers(-2048, 2048, (24, 40)).astype(np.int16)
    header = {"Modality": "CT", "RescaleSlope": 1, "RescaleIntercept": -24}
    plain = read_image(save(tmp_path / "a.dcm", values, bits=12, **header), window="lung")
    # Twelve bits of two's complement, without the four that repeat the sign.
    stored = (values & 0xFFF).astype(np.uint16)
    data = jpeg8_encode(stored, lossless=True, bitspersample=12)
    path = _packed(tmp_path / "b.dcm", JPEGLosslessSV1, data, values, bits=12, **header)
    np.testing.assert_array_equal(read_image(path, window="lung").pixels, plain.pixels)


def test_lossless_colour_is_not_converted(tmp_path: Path) -> None:
    data = jpeg8_encode(COLOUR, lossless=True)
    found = read_image(_packed(tmp_path / "a.dcm", JPEGLosslessSV1, data, COLOUR))
    np.testing.assert_allclose(found.pixels, COLOUR / 255, atol=1e-7)


def test_lossless_ybr_becomes_rgb_once(tmp_path: Path) -> None:
    ybr = np.full_like(COLOUR, 128)
    ybr[..., 0] = COLOUR[..., 0]
    data = jpeg8_encode(ybr, lossless=True)
    # The encoder names its components R, G and B, which would overrule the header.
    for old, new in ((b"R\x11\0G\x11\0B", b"\1\x11\0\2\x11\0\3"), (b"R\0G\0B", b"\1\0\2\0\3")):
        assert old in data
        data = data.replace(old, new)
    header = {"PhotometricInterpretation": "YBR_FULL"}
    found = read_image(_packed(tmp_path / "a.dcm", JPEGLosslessSV1, data, ybr, **header))
    expected = np.repeat(COLOUR[..., :1], 3, axis=-1) / 255
    np.testing.assert_allclose(found.pixels, expected, atol=1e-7)


def test_twelve_bits_with_loss_stay_close(tmp_path: Path) -> None:
    values = (np.add.outer(np.arange(24), np.arange(40)) * 64).astype(np.uint16)
    data = jpeg8_encode(values, level=95, bitspersample=12)
    found = read_image(_packed(tmp_path / "a.dcm", JPEGExtended12Bit, data, values, bits=12))
    np.testing.assert_allclose(found.pixels, values / 4095, atol=0.01)


def test_baseline_has_eight_bits(tmp_path: Path) -> None:
    values = _gray(12)
    path = _packed(
        tmp_path / "a.dcm", JPEGBaseline8Bit, jpeg8_encode(values, bitspersample=12), values
    )
    with pytest.raises(DataError, match="is JPEG of 12 bits, but calls itself baseline"):
        read_image(path)


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = _gray(12)
    data = jpeg8_encode(values, bitspersample=12)
    path = _packed(tmp_path / "a.dcm", JPEGExtended12Bit, data, values, bits=12)
    monkeypatch.setattr(dicom_jpeg, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"of 12 bits, which nothing here decodes\. .*\[dicom\]"):
        read_image(path)


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
def test_cut_streams_are_refused(tmp_path: Path, keep: float) -> None:
    values = _gray(16)
    data = jpeg8_encode(values, lossless=True, bitspersample=16)
    path = _packed(tmp_path / "a.dcm", JPEGLosslessSV1, data[: int(keep * len(data))], values)
    with pytest.raises(DataError, match="JPEG data end before their last line"):
        read_image(path)

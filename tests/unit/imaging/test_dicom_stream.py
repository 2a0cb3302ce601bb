"""Compressed pixels: what cannot be decoded, or is not of its claimed size, is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    HTJ2K,
    MPEG2MPML,
    UID,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from medistill.core.errors import DataError
from medistill.imaging import dicom_stream
from medistill.imaging.reader import read_image
from tests.unit.imaging.dicom_files import dataset_of

PIXELS = np.arange(48 * 64, dtype=np.uint32).reshape(48, 64).astype(np.uint8)


def _packed(path: Path, syntax: UID, data: bytes) -> Path:
    dataset = dataset_of(PIXELS)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([data])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path, enforce_file_format=True)
    return path


def _code(kind: str, size: tuple[int, int] | None = None) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(PIXELS)
    options = {"irreversible": False} if kind == "JPEG2000" else {"quality": 95}
    (image.resize(size) if size else image).save(stream, kind, no_jp2=True, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def test_lossless_code_stream_gives_the_pixels(tmp_path: Path) -> None:
    path = _packed(tmp_path / "a.dcm", JPEG2000Lossless, _code("JPEG2000"))
    np.testing.assert_allclose(read_image(path).pixels, PIXELS / 255, atol=1e-7)


@pytest.mark.parametrize(
    ("syntax", "kind"), [(JPEG2000Lossless, "JPEG2000"), (JPEGBaseline8Bit, "JPEG")]
)
def test_code_stream_of_another_size_is_refused(tmp_path: Path, syntax: UID, kind: str) -> None:
    path = _packed(tmp_path / "a.dcm", syntax, _code(kind, (640, 480)))
    with pytest.raises(DataError, match="claims 64x48 pixels, its compressed data 640x480"):
        read_image(path)


@pytest.mark.parametrize(
    ("syntax", "words"),
    [
        (JPEG2000Lossless, "JPEG 2000 .* data without a size"),
        (JPEGBaseline8Bit, "JPEG Baseline .* data without a size"),
        (JPEGLSLossless, "JPEG-LS .* data without a size"),
        (JPEGLosslessSV1, "JPEG Lossless.* data without a size"),
        (MPEG2MPML, "MPEG2.*not a picture's form"),
        (UID("1.2.3.4"), "unknown transfer syntax '1.2.3.4'"),
        (RLELossless, "damaged DICOM"),
    ],
)
def test_rubbish_is_refused_by_its_kind(tmp_path: Path, syntax: UID, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_image(_packed(tmp_path / "a.dcm", syntax, b"rubbish!"))


def test_run_lengths_beyond_the_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="beyond what its size can need"):
        read_image(_packed(tmp_path / "a.dcm", RLELossless, b"\1" * 20_000))


def test_missing_decoder_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Absent:
        is_available = False

    monkeypatch.setattr(dicom_stream, "get_decoder", lambda syntax: Absent())
    for syntax in (JPEG2000Lossless, JPEGLSLossless, HTJ2K, JPEGLosslessSV1):
        with pytest.raises(DataError, match=r"nothing here decodes\. Run: pip install .*\[dicom\]"):
            read_image(_packed(tmp_path / "a.dcm", syntax, _code("JPEG2000")))


@pytest.mark.parametrize("frames", [3, 9])
def test_frames_of_single_bits_share_bytes(tmp_path: Path, frames: int) -> None:
    values = np.random.default_rng(0).integers(0, 2, (frames, 10, 10)).astype(np.uint8)
    packed = np.packbits(values.ravel(), bitorder="little").tobytes()
    masks = dataset_of(values[0], NumberOfFrames=frames)
    masks.BitsAllocated = masks.BitsStored = 1
    masks.HighBit = 0
    masks.PixelData = packed + b"\0" * (len(packed) % 2)
    masks.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    for number, frame in enumerate(values):
        np.testing.assert_array_equal(read_image(tmp_path / "a.dcm", frame=number).pixels, frame)
    masks.PixelData = packed[:-2]
    masks.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(DataError, match="is truncated"):
        read_image(tmp_path / "a.dcm", frame=0)

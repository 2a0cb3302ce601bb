"""Every sample file of pydicom by name: read, with the pixels of another decoder, or refused.

The other decoder is numpy alone for uncompressed files, a second codec for compressed ones; the
gray scale is worked out once more from the standard's formulas.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from imagecodecs import ljpeg_decode
from numpy.typing import NDArray
from PIL import Image
from pydicom.encaps import get_frame
from pydicom.uid import (
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSTransferSyntaxes,
)

from medistill.core.errors import DataError
from medistill.imaging.reader import read_image
from tests.parity.jpeg_by_hand import decode_gray

ROOT = Path(pydicom.__file__).parent / "data" / "test_files"
NO_PICTURE, NO_IMAGE = "is DICOM without a picture", "is not a PNG, JPEG, TIFF or BMP image"
FRAMES, DOSE = r"holds \d+ frames", "is a radiotherapy dose, not a picture"

READ = """
693_J2KI.dcm CT_small.dcm ExplVR_BigEnd.dcm GDCMJ2K_TextGBR.dcm J2K_pixelrep_mismatch.dcm
JPEG-lossy.dcm JPEG2000.dcm JPEGLSNearLossless_08.dcm JPEGLSNearLossless_16.dcm JPGExtended.dcm
MR_small.dcm MR_small_RLE.dcm SC_rgb_jpeg_gdcm.dcm
MR_small_bigendian.dcm MR_small_expb.dcm MR_small_implicit.dcm MR_small_jp2klossless.dcm
MR_small_jpeg_ls_lossless.dcm MR_small_padded.dcm SC_jpeg_no_color_transform.dcm
SC_jpeg_no_color_transform_2.dcm SC_rgb_dcmtk_+eb+cr.dcm SC_rgb_dcmtk_+eb+cy+n1.dcm
SC_rgb_dcmtk_+eb+cy+n2.dcm SC_rgb_dcmtk_+eb+cy+np.dcm SC_rgb_dcmtk_+eb+cy+s2.dcm
SC_rgb_dcmtk_+eb+cy+s4.dcm SC_rgb_gdcm_KY.dcm SC_rgb_jls_lossy_line.dcm SC_rgb_jls_lossy_sample.dcm
SC_rgb_jpeg.dcm SC_rgb_jpeg_app14_dcmd.dcm SC_rgb_jpeg_dcmd.dcm SC_rgb_jpeg_dcmtk.dcm
SC_rgb_jpeg_lossy_gdcm.dcm SC_rgb_rle.dcm SC_rgb_rle_16bit.dcm SC_rgb_rle_32bit.dcm
SC_rgb_small_odd.dcm SC_rgb_small_odd_big_endian.dcm SC_rgb_small_odd_jpeg.dcm
SC_ybr_full_422_uncompressed.dcm examples_jpeg2k.dcm examples_overlay.dcm examples_palette.dcm
examples_rgb_color.dcm image_dfl.dcm liver_1frame.dcm liver_expb_1frame.dcm
dicomdirtests/77654033/CR1/6154 dicomdirtests/77654033/CR2/6247 dicomdirtests/77654033/CR3/6278
dicomdirtests/77654033/CT2/17106 dicomdirtests/77654033/CT2/17136 dicomdirtests/77654033/CT2/17166
dicomdirtests/77654033/CT2/17196 dicomdirtests/98892001/CT2N/6293 dicomdirtests/98892001/CT2N/6924
dicomdirtests/98892001/CT5N/2062 dicomdirtests/98892001/CT5N/2392 dicomdirtests/98892001/CT5N/2693
dicomdirtests/98892001/CT5N/3023 dicomdirtests/98892001/CT5N/3353 dicomdirtests/98892003/MR1/15820
dicomdirtests/98892003/MR1/4919 dicomdirtests/98892003/MR1/5641 dicomdirtests/98892003/MR2/15970
dicomdirtests/98892003/MR2/4950 dicomdirtests/98892003/MR2/4981 dicomdirtests/98892003/MR2/5011
dicomdirtests/98892003/MR2/6273 dicomdirtests/98892003/MR2/6605 dicomdirtests/98892003/MR2/6935
dicomdirtests/98892003/MR700/4467 dicomdirtests/98892003/MR700/4528
dicomdirtests/98892003/MR700/4558 dicomdirtests/98892003/MR700/4588
dicomdirtests/98892003/MR700/4618 dicomdirtests/98892003/MR700/4648
dicomdirtests/98892003/MR700/4678
""".split()  # noqa: SIM905
REFUSED = {
    # Four bytes of its code stream's size are overwritten, on purpose: no decoder reads it.
    "JPEG2000-embedded-sequence-delimiter.dcm": "data without a size: damaged",
    "MR_truncated.dcm": "is truncated: 8,130 of 8,192 bytes",
    "SC_rgb_rle_16bit_2frame.dcm": FRAMES,
    "SC_rgb_rle_2frame.dcm": FRAMES,
    "SC_rgb_rle_32bit_2frame.dcm": FRAMES,
    "examples_ybr_color.dcm": FRAMES,
    "meta_missing_tsyntax.dcm": "does not say its Columns",
    "nested_priv_SQ.dcm": "does not say its Columns",
    # Begins one byte late.
    "no_meta.dcm": NO_IMAGE,
    "badVR.dcm": DOSE,
    **{f"rtdose{middle}.dcm": DOSE for middle in ("", "_expb", "_rle")},
    **{f"rtdose{middle}_1frame.dcm": DOSE for middle in ("", "_expb", "_rle")},
    **{
        f"{name}.dcm": NO_PICTURE
        for name in [
            "ExplVR_BigEndNoMeta",
            "ExplVR_LitEndNoMeta",
            "UN_sequence",
            "empty_charset_LEI",
            "no_meta_group_length",
            "priv_SQ",
            "reportsi",
            "reportsi_with_empty_number_tags",
            "rtplan",
            "rtplan_truncated",
            "rtstruct",
            "test-SR",
            "waveform_ecg",
            "dicomdirtests/DICOMDIR-empty",
        ]
    },
    **{
        f"dicomdirtests/DICOMDIR{ending}": NO_PICTURE
        for ending in ("", "-bigEnd", "-implicit", "-nooffset", "-nopatient", "-reordered")
    },
    **{
        name: NO_IMAGE
        for name in [
            "README.txt",
            "crayons.icc",
            "rtplan.dump",
            "rtstruct.dump",
            "test1.json",
            "test_PN.json",
            "zipMR.gz",
            "dicomdirtests/README.txt",
            "dicomdirtests/TINY_ALPHA/README",
        ]
    },
}
TWELVE_BITS = {"JPEG-lossy.dcm", "JPGExtended.dcm"}
#: Forty empty CT headers and their index.
EMPTY = "dicomdirtests/TINY_ALPHA/"


def _names() -> list[str]:
    files = (path for path in ROOT.rglob("*") if path.is_file())
    return sorted(path.relative_to(ROOT).as_posix() for path in files)


def test_every_sample_has_its_line() -> None:
    listed = {*READ, *REFUSED}
    assert len(listed) == len(READ) + len(REFUSED)
    assert {name for name in _names() if not name.startswith(EMPTY)} <= listed
    assert listed - set(_names()) == set()


@pytest.mark.parametrize("name", _names())
def test_sample_is_read_or_refused_with_its_reason(name: str) -> None:
    if name in READ:
        picture = read_image(ROOT / name)
        assert picture.pixels.dtype == np.float32
        expected = _by_hand(ROOT / name)
        if name in TWELVE_BITS:
            # Decoders may round a cosine transform either way: one of 4,096 values at most.
            np.testing.assert_allclose(picture.pixels, expected, atol=1.01 / 4095)
            assert (np.abs(picture.pixels - expected) > 2e-6).mean() < 0.02
        else:
            np.testing.assert_allclose(picture.pixels, expected, atol=2e-6)
    else:
        reason = REFUSED.get(name, NO_PICTURE)
        with pytest.raises(DataError, match=reason):
            read_image(ROOT / name)


def _by_hand(path: Path) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path)
        stored = _stored(dataset)
        if stored.ndim == 3:
            return stored / (2.0**dataset.BitsStored - 1)
        if dataset.PhotometricInterpretation == "PALETTE COLOR":
            return _coloured(stored, dataset)
        return _gray(stored.astype(np.float64), dataset)


def _stored(dataset: pydicom.Dataset) -> NDArray[np.generic]:
    """Stored values (colour as RGB) by another road than that of the reader."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_compressed or syntax.is_deflated:
        return _native(dataset)
    data = get_frame(dataset.PixelData, 0, number_of_frames=1)
    if syntax in JPEG2000TransferSyntaxes:
        return _wavelets(data, dataset)
    if syntax in JPEGLSTransferSyntaxes:
        import jpeg_ls

        found = jpeg_ls.decode(np.frombuffer(data, dtype=np.uint8))
        return np.asarray(found)
    if syntax == JPEGBaseline8Bit:
        return _jpeg(data, dataset)
    if syntax == JPEGExtended12Bit:
        return decode_gray(data)
    if syntax == JPEGLosslessSV1:
        return np.asarray(ljpeg_decode(data))  # another library than the reader's: liblj92
    from rle.utils import decode_pixel_data

    values = decode_pixel_data(data, dataset, version=1)
    return _planes(np.frombuffer(values, dtype=_type(dataset, "<")), dataset)


def _native(dataset: pydicom.Dataset) -> NDArray[np.generic]:
    order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
    shape = (dataset.Rows, dataset.Columns)
    if dataset.BitsAllocated == 1:
        held = _bytes(dataset)
        bits = np.unpackbits(held, bitorder="little")
        return bits[: shape[0] * shape[1]].reshape(shape)
    if dataset.PhotometricInterpretation == "YBR_FULL_422":
        four = np.frombuffer(dataset.PixelData, np.uint8)[: shape[0] * shape[1] * 2].reshape(-1, 4)
        pairs = four[:, [0, 2, 3, 1, 2, 3]].reshape(*shape, 3)
        return _rgb(pairs)
    count = shape[0] * shape[1] * dataset.SamplesPerPixel
    values = (
        _bytes(dataset)
        if dataset.BitsAllocated == 8
        else np.frombuffer(dataset.PixelData, _type(dataset, order))
    )
    values = values[:count]
    if dataset.SamplesPerPixel == 1:
        return values.reshape(shape)
    return (
        values.reshape(*shape, 3) if not dataset.PlanarConfiguration else _planes(values, dataset)
    )


def _bytes(dataset: pydicom.Dataset) -> NDArray[np.uint8]:
    """Bytes in their order; a big-endian file of 16-bit words swaps them."""
    held = np.frombuffer(dataset.PixelData, dtype=np.uint8)
    big = not dataset.file_meta.TransferSyntaxUID.is_little_endian
    words = big and dataset["PixelData"].VR == "OW"
    return held.reshape(-1, 2)[:, ::-1].ravel() if words else held


def _type(dataset: pydicom.Dataset, order: str) -> np.dtype[np.generic]:
    kind = "i" if dataset.PixelRepresentation else "u"
    return np.dtype(f"{order}{kind}{dataset.BitsAllocated // 8}")


def _planes(values: NDArray[np.generic], dataset: pydicom.Dataset) -> NDArray[np.generic]:
    planes = values.reshape(dataset.SamplesPerPixel, dataset.Rows, dataset.Columns)
    return planes[0] if len(planes) == 1 else np.moveaxis(planes, 0, -1)


def _wavelets(data: bytes, dataset: pydicom.Dataset) -> NDArray[np.generic]:
    """Through Pillow, which shows a signed code stream unsigned and fills 16 bits from the top."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            values = np.asarray(image)
    except OSError:
        import openjpeg

        return np.asarray(openjpeg.decode(data))
    depth = data[data.index(b"\xff\x51") + 40]
    bits, signed = (depth & 0x7F) + 1, depth >= 0x80
    if values.dtype == np.uint8:
        return values
    whole = values.astype(np.int64) >> (16 - bits)
    if signed:
        return whole - 2 ** (bits - 1)
    top = 2 ** (dataset.BitsStored - 1)
    return (whole + top) % (2 * top) - top if dataset.PixelRepresentation else whole


def _jpeg(data: bytes, dataset: pydicom.Dataset) -> NDArray[np.generic]:
    """Colour as libjpeg decides by the file's markers, except where DICOM says RGB."""
    with Image.open(io.BytesIO(data)) as image:
        rgb = dataset.PhotometricInterpretation == "RGB"
        if rgb and "adobe_transform" not in image.info:
            image.draft("YCbCr", image.size)
        return np.asarray(image)


def _rgb(ybr: NDArray[np.uint8]) -> NDArray[np.float64]:
    """PS3.3, C.7.6.3.1.2, inverted."""
    y, cb, cr = (ybr[..., k].astype(np.float64) - (0, 128, 128)[k] for k in range(3))
    rgb = [y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb]
    return np.clip(np.floor(np.stack(rgb, axis=-1) + 0.5), 0, 255)


def _coloured(stored: NDArray[np.generic], dataset: pydicom.Dataset) -> NDArray[np.float64]:
    planes = []
    for colour in ("Red", "Green", "Blue"):
        entries, first, bits = dataset[f"{colour}PaletteColorLookupTableDescriptor"].value
        data = dataset[f"{colour}PaletteColorLookupTableData"].value
        lut = np.frombuffer(data, dtype="<u2" if bits == 16 else np.uint8)[: entries or 65536]
        index = np.clip(stored.astype(np.int64) - first, 0, len(lut) - 1)
        planes.append(lut[index] / (2**bits - 1))
    return np.stack(planes, axis=-1)


def _gray(stored: NDArray[np.float64], dataset: pydicom.Dataset) -> NDArray[np.float64]:
    values = stored * float(dataset.get("RescaleSlope", 1)) + float(
        dataset.get("RescaleIntercept", 0)
    )
    if "WindowCenter" in dataset:
        centre, width = (
            float(np.atleast_1d(np.asarray(dataset[key].value, dtype=float))[0])
            for key in ("WindowCenter", "WindowWidth")
        )
        shown = np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)
    elif dataset.get("Modality") == "CT":
        shown = np.clip((values + 1024) / 4095, 0, 1)
    else:
        low = -(2 ** (dataset.BitsStored - 1)) if dataset.PixelRepresentation else 0
        shown = np.clip((values - low) / (2**dataset.BitsStored - 1), 0, 1)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        shown = 1 - shown
    if "PixelPaddingValue" in dataset:
        shown = np.where(stored == dataset.PixelPaddingValue, 0, shown)
    return shown

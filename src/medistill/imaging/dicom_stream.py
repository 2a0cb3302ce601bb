"""Compressed DICOM pixels: what decodes them, and whether they are as large as they claim."""

from __future__ import annotations

import io

from PIL import Image
from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    RLELossless,
)

from medistill.imaging import dicom_jpeg
from medistill.imaging.dicom_header import Layout
from medistill.imaging.jpeg import INSTALL, jpeg_size
from medistill.imaging.picture import refusal

#: A run-length code never takes more than 129 bytes for 128, and a header of 64.
_RLE_GROWTH = 2
_SLACK = 4096


def check_stream(dataset: Dataset, layout: Layout, where: object) -> None:
    """Refuse pixels that cannot be decoded, or that are not of the size that the header claims.

    Raises:
        DataError: no decoder, too few bytes, or a code stream of another size.
    """
    syntax = UID(str(dataset.file_meta.TransferSyntaxUID))
    if not syntax.is_transfer_syntax or syntax.is_private:
        raise refusal(where, f"has the unknown transfer syntax '{str(syntax)[:40]}'")
    if not syntax.is_compressed or syntax.is_deflated:
        _check_length(dataset, layout, where)
        return
    _check_decoder(syntax, where)
    data = get_frame(dataset.PixelData, layout.frame, number_of_frames=layout.frames)
    if syntax == RLELossless:
        if len(data) > _RLE_GROWTH * layout.frame_bytes + _SLACK:
            raise refusal(where, "has run-length data beyond what its size can need")
        return
    _check_claimed(data, syntax, layout, where)


def _check_length(dataset: Dataset, layout: Layout, where: object) -> None:
    expected, found = layout.whole_bytes, len(dataset.PixelData)
    if layout.photometric == "YBR_FULL_422":
        # Two pixels share their colour: two values a pixel instead of three.
        expected = expected * 2 // 3
    if found < expected:
        raise refusal(where, f"is truncated: {found:,} of {expected:,} bytes of pixels")


def _check_decoder(syntax: UID, where: object) -> None:
    dicom_jpeg.register()
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError:
        raise refusal(where, f"is compressed as {syntax.name}, not a picture's form") from None
    if not available:
        raise refusal(where, f"is compressed as {syntax.name}, which nothing here decodes", INSTALL)


def _check_claimed(data: bytes, syntax: UID, layout: Layout, where: object) -> None:
    """A code stream carries its own size, for which a decoder would take memory."""
    claimed, bits = _claimed(data, syntax)
    if claimed is None:
        raise refusal(where, f"has {syntax.name} data without a size: damaged or of another form")
    if claimed != (layout.width, layout.height):
        found = "x".join(map(str, claimed))
        raise refusal(where, f"claims {layout.size} pixels, its compressed data {found}")
    _check_depth(bits, syntax, where)


def _check_depth(bits: int, syntax: UID, where: object) -> None:
    """Pillow takes JPEG of 8 bits alone, and is a decoder of the extended form as well."""
    if bits > 8 and syntax == JPEGBaseline8Bit:
        raise refusal(where, f"is JPEG of {bits} bits, but calls itself baseline, which has 8")
    if bits > 8 and syntax == JPEGExtended12Bit and not dicom_jpeg.is_available(syntax):
        raise refusal(where, f"is JPEG of {bits} bits, which nothing here decodes", INSTALL)


def _claimed(data: bytes, syntax: UID) -> tuple[tuple[int, int] | None, int]:
    """Width and height, and the bits of a value for JPEG; None where there is no header."""
    if syntax not in JPEG2000TransferSyntaxes:
        return jpeg_size(data)
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG2000",)) as image:
            return image.size, 0
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None, 0

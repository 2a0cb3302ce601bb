"""The size that a JPEG code stream claims, and JPEG of more than 8 bits, which Pillow refuses.

Torch-free.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from medistill.imaging.picture import check_size, reason_of, refusal

MAGIC = b"\xff\xd8\xff"
#: The cure where imagecodecs is not installed.
INSTALL = "Run: pip install 'medistill[dicom]'."
#: The marker that ends a stream (T.81, B.1.1.3), and how much padding may follow it.
END_OF_IMAGE, PADDING = b"\xff\xd9", 64
_START_OF_FRAME: Mapping[int, str] = MappingProxyType(
    {marker: "JPEG" for marker in (*range(0xC0, 0xC4), *range(0xC5, 0xC8), 0xF7)}
)


def decode_deep(data: bytes, where: object) -> tuple[NDArray[np.uint16], int]:
    """Decode a file of 9 to 16 bits.

    Args:
        data: the file.
        where: how errors name it.

    Returns:
        (H, W) or (H, W, 3), and its white.

    Raises:
        DataError: too large, damaged, of 4 colours, or imagecodecs is not installed.
        ValueError: no frame of such a depth.
    """
    size, bits = jpeg_size(data)
    if size is None or not 8 < bits <= 16:
        raise ValueError("its JPEG header cannot be read")
    check_size(where, width=size[0], height=size[1])
    if find_spec("imagecodecs") is None:
        raise refusal(where, f"is JPEG of {bits} bits, which nothing here decodes", INSTALL)
    from imagecodecs import jpeg8_decode

    # libjpeg fills what is missing of a picture with gray, and only warns.
    if END_OF_IMAGE not in data[-PADDING:]:
        raise refusal(where, "is damaged or truncated (its JPEG data end before their last line)")
    try:
        values = np.asarray(jpeg8_decode(data), dtype=np.uint16)
    except Exception as error:  # whatever a decoder of foreign bytes raises
        raise refusal(where, f"is damaged or truncated ({reason_of(error)})") from error
    if values.ndim == 3 and values.shape[2] != 3:
        raise refusal(
            where, f"is JPEG of {bits} bits and {values.shape[2]} colours: 1 or 3 are read"
        )
    return values, 2**bits - 1


def jpeg_size(data: bytes) -> tuple[tuple[int, int] | None, int]:
    """Width and height (None without a frame header), and bits of a value.

    From the frame header of JPEG (ITU-T T.81, B.2.2) and JPEG-LS (T.87, C.2.2).
    """
    position = 2
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker in _START_OF_FRAME:
            height = int.from_bytes(data[position + 5 : position + 7], "big")
            width = int.from_bytes(data[position + 7 : position + 9], "big")
            return (width, height), data[position + 4]
        if marker == 0xFF:
            position += 1
            continue
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None, 0

"""JPEG of 12 bits and lossless JPEG in DICOM: libjpeg-turbo as a plugin of pydicom. Torch-free.

pydicom itself knows no permissively licensed decoder of these transfer syntaxes (ITU-T T.81,
processes 2 and 4, and 14). The one here is imagecodecs' (extra ``dicom``); pydicom asks
:func:`is_available` and calls :func:`decode_frame`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType

from pydicom.pixels.decoders.base import DecodeRunner, get_decoder
from pydicom.uid import UID, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1

from medistill.imaging.jpeg import END_OF_IMAGE, PADDING

#: What pydicom says is missing, by transfer syntax.
DECODER_DEPENDENCIES: Mapping[UID, tuple[str, ...]] = MappingProxyType(
    dict.fromkeys((JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1), ("imagecodecs",))
)
_LABEL = "medistill"


@functools.cache
def register() -> None:
    """Tell pydicom of the decoder, once a process."""
    for syntax in DECODER_DEPENDENCIES:
        get_decoder(syntax).add_plugin(_LABEL, (__name__, "decode_frame"))


def is_available(uid: str) -> bool:
    """Whether imagecodecs is installed and ``uid`` is one of its transfer syntaxes."""
    return uid in DECODER_DEPENDENCIES and find_spec("imagecodecs") is not None


def decode_frame(src: bytes, runner: DecodeRunner) -> bytes:
    """Decode one frame, whose claimed size has been checked, to little-endian bytes by pixel.

    The samples stay in the colour space in which they are stored: pydicom converts.

    Args:
        src: the code stream.
        runner: pydicom's state; it is told how wide the values are.

    Raises:
        ValueError: the stream is cut off.
        Exception: what imagecodecs raises over a damaged stream.
    """
    from imagecodecs import jpeg8_decode

    # libjpeg fills what is missing of a picture with gray, and only warns.
    if END_OF_IMAGE not in src[-PADDING:]:
        raise ValueError("its JPEG data end before their last line")
    space = "ycbcr" if runner.samples_per_pixel == 3 else None
    values = jpeg8_decode(src, colorspace=space, outcolorspace=space)
    runner.set_option("bits_allocated", 8 * values.dtype.itemsize)
    runner.set_option("planar_configuration", 0)
    return bytes(values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes())

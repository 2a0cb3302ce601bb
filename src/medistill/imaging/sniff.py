"""What a file is, by its first bytes. Torch-free."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Literal

#: Bytes of a file's head that tell its kind.
HEAD_BYTES = 1024
_INDEX = "DICOMDIR"
_DICOM_MAGIC = slice(128, 132)
# A data set without preamble begins with group 0002 or 0008, little or big endian.
_BARE_DICOM = (b"\x02\x00\x00\x00", b"\x08\x00", b"\x00\x08\x00")
_GROUPS = range(0x0002, 0x7FE1)
_RASTER = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_NIFTI_SIZES = {348: (344, (b"n+1\0",)), 540: (4, (b"n+2\0",))}


def is_raster(head: bytes) -> bool:
    """Whether a file that begins so can only be PNG or JPEG; other pictures are told by Pillow."""
    return head.startswith(_RASTER) and head[_DICOM_MAGIC] != b"DICM"


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins so is DICOM, with or without its preamble (PS3.10, 7.1)."""
    return head[_DICOM_MAGIC] == b"DICM" or _is_bare(head)


def is_dicom_file(path: Path) -> bool:
    """Whether a file is DICOM by its first bytes, whatever its name; an index of files is not.

    Scanners and archives name files by numbers. What is no regular file is never opened.
    """
    if path.name.upper() == _INDEX or not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            return is_dicom(stream.read(HEAD_BYTES))
    except OSError:
        return False


def is_nifti(head: bytes) -> bool:
    """Whether a file that begins so is a NIfTI-1 or NIfTI-2 volume in one file, or that gzipped."""
    plain = _unzipped(head) if head.startswith(b"\x1f\x8b") else head
    for order in ("little", "big"):
        size = int.from_bytes(plain[:4], order)
        offset, magics = _NIFTI_SIZES.get(size, (0, ()))
        if plain[offset : offset + 4] in magics:
            return True
    return False


def _is_bare(head: bytes) -> bool:
    """Whether an element follows such a group: its kind in letters, or a length and another one."""
    if not head.startswith(_BARE_DICOM):
        return False
    if head[4:6].isalpha() and head[4:6].isupper():
        return True
    order: Literal["big", "little"] = "big" if head[0] == 0 else "little"
    length = int.from_bytes(head[4:8], order)
    following = head[8 + length : 10 + length]
    return len(following) == 2 and int.from_bytes(following, order) in _GROUPS


def _unzipped(head: bytes) -> bytes:
    try:
        return zlib.decompressobj(31).decompress(head, HEAD_BYTES)
    except zlib.error:
        return b""

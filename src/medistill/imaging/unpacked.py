"""Gzipped NIfTI volumes, unpacked once for all of their slices. Torch-free.

A gzipped file can be read from its start alone: slice by slice, a volume of n slices would be
unpacked n times.
"""

from __future__ import annotations

import atexit
import gzip
import io
import os
import tempfile
import threading
import zlib
from collections.abc import Hashable
from typing import IO, Any, BinaryIO, NamedTuple, cast

import numpy as np

from medistill.imaging.nifti_file import open_volume

#: Bytes of a volume that stay in memory; more go to a temporary file.
IN_MEMORY = 128 * 2**20
#: Bytes of all volumes that a thread keeps, so that slices can be read in any order. The last two
#: are kept whatever they take: a picture's and its label map's.
KEPT_BYTES = 2 * IN_MEMORY
_FEWEST, _MOST = 2, 64
_PIECE = 2**20
_GZIP = b"\x1f\x8b"


class _Unpacked(NamedTuple):
    volume: Any
    plain: IO[bytes]
    size: int


class _Shelf(threading.local):
    """Volumes of a thread, by what tells a file from others, the one last asked for at the end."""

    def __init__(self) -> None:
        self.held: dict[Hashable, _Unpacked] = {}


_SHELF = _Shelf()
# A process that is forked shares the place in each temporary file: to close one would move it.
_OF_THE_PARENT: list[dict[Hashable, _Unpacked]] = []


def _leave_to_the_parent() -> None:
    _OF_THE_PARENT.append(_SHELF.held)
    _SHELF.held = {}


@atexit.register
def _close_all() -> None:
    while _SHELF.held:
        _SHELF.held.popitem()[1].plain.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_the_parent)


def kept_volume(stream: BinaryIO, where: object) -> Any:
    """As :func:`nifti_file.open_volume`; of a gzipped file on disk the last ones stay unpacked.

    Raises:
        DataError: damaged, or too large.
        MissingExtraError: nibabel is not installed.
    """
    key = _key(stream)
    if key is None:
        return open_volume(stream, where)
    if key not in _SHELF.held:
        try:
            volume, plain = unpacked_volume(stream, where, IN_MEMORY)
        except (OSError, EOFError, zlib.error):
            # Of a damaged file the slices before the damage can be read.
            stream.seek(0)
            return open_volume(stream, where)
        size = _size(volume)
        _make_room(size)
        _SHELF.held[key] = _Unpacked(volume, plain, size)
    _SHELF.held[key] = _SHELF.held.pop(key)
    return _SHELF.held[key].volume


def _make_room(size: int) -> None:
    held = _SHELF.held
    while len(held) >= _FEWEST and (
        len(held) >= _MOST or size + sum(each.size for each in held.values()) > KEPT_BYTES
    ):
        held.pop(next(iter(held))).plain.close()


def unpacked_volume(file: BinaryIO, where: object, in_memory: int) -> tuple[Any, IO[bytes]]:
    """A gzipped volume whose voxels are unpacked, and the temporary file that holds them.

    Args:
        file: the gzipped file.
        where: how errors name it.
        in_memory: bytes from which on the temporary file lies on disk.

    Raises:
        DataError: its header is damaged, or claims too much.
        OSError, EOFError, zlib.error: the rest is damaged.
    """
    size = _size(open_volume(file, where))
    plain = tempfile.SpooledTemporaryFile(in_memory)  # noqa: SIM115 - whoever asked closes it
    try:
        _unzip(file, plain, size)
        return open_volume(cast("BinaryIO", plain), where), plain
    except BaseException:
        plain.close()
        raise


def is_gzipped(file: BinaryIO) -> bool:
    """Whether a file that is at its start begins as gzip does; it is at its start again."""
    head = file.read(2)
    file.seek(0)
    return head == _GZIP


def _key(stream: BinaryIO) -> Hashable | None:
    """What tells a gzipped file on disk, as it is now, from others; None for other streams."""
    if not isinstance(stream, io.BufferedReader) or stream.tell() or not is_gzipped(stream):
        return None
    found = os.fstat(stream.fileno())
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _size(volume: Any) -> int:
    """Bytes that the header promises."""
    voxels = int(np.prod([int(length) for length in volume.shape], dtype=object))
    return int(volume.dataobj.offset) + voxels * int(volume.get_data_dtype().itemsize)


def _unzip(file: BinaryIO, plain: IO[bytes], size: int) -> None:
    """Unpack as much as the header promises, and no more: that is all a bomb gets."""
    file.seek(0)
    with gzip.GzipFile(fileobj=file) as packed:
        left = size
        while left > 0 and (piece := packed.read(min(_PIECE, left))):
            plain.write(piece)
            left -= len(piece)
    plain.seek(0)

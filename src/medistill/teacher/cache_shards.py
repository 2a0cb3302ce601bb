"""Shards on the disk: each appears whole or not at all, and can be told from a damaged one."""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medistill.core.errors import NO_ROOM, TargetsError
from medistill.core.files import atomic_file
from medistill.teacher.cache_layout import Layout, in_words

Rows = NDArray[np.float16] | NDArray[np.float32]
# A shard ends with the SHA-256 of its numbers, after what the .npy format describes.
_DIGEST = hashlib.sha256().digest_size


def shard_path(folder: Path, shard: int) -> Path:
    """File of a shard: a .npy matrix (rows, width) with a digest after it."""
    return folder / f"shard-{shard:05d}.npy"


def missing_shards(folder: Path, layout: Layout) -> list[int]:
    """Shards that are not there, or not of the right form and length."""
    return [shard for shard in range(layout.shards) if not _is_whole(folder, layout, shard)]


def map_shard(folder: Path, layout: Layout, shard: int) -> Rows:
    """The numbers of a shard, (rows, width), memory-mapped and read-only."""
    header, shape = _header(layout, shard), (len(layout.span(shard)), layout.width)
    path = shard_path(folder, shard)
    return np.memmap(path, layout.stored, mode="r", offset=len(header), shape=shape)


def shard_is_intact(folder: Path, layout: Layout, shard: int) -> bool:
    """Whether the numbers of a shard are those that were written, by their digest."""
    rows = map_shard(folder, layout, shard)
    with shard_path(folder, shard).open("rb") as stream:
        stream.seek(-_DIGEST, io.SEEK_END)
        return hashlib.sha256(rows.data).digest() == stream.read()


@contextmanager
def shard_writer(folder: Path, layout: Layout, shard: int) -> Iterator[Callable[[Rows], None]]:
    """Write a shard piece by piece; the file appears when the block ends without error."""
    digest = hashlib.sha256()
    with atomic_file(shard_path(folder, shard)) as stream:
        stream.write(_header(layout, shard))

        def write(rows: Rows) -> None:
            data = np.ascontiguousarray(rows).tobytes()
            digest.update(data)
            stream.write(data)

        yield write
        stream.write(digest.digest())


def check_room(folder: Path, size: int) -> None:
    """Refuse to begin what cannot end.

    Raises:
        TargetsError: the disk has less than ``size`` bytes free.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise TargetsError(
            where=folder,
            what=f"the cache needs {in_words(size)} and the disk has {in_words(free)} free",
            cure="Free some space, choose fewer views (views.count), or use live targets "
            "(targets.mode=live).",
        )


@contextmanager
def full_disk_explained(folder: Path, layout: Layout) -> Iterator[None]:
    """Turn a disk that fills up into one sentence; finished shards stay.

    Raises:
        TargetsError: the disk, the quota or the largest file size is exhausted.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        missing = missing_shards(folder, layout)
        need = sum(len(layout.span(shard)) for shard in missing) * layout.row_bytes
        raise TargetsError(
            where=folder,
            what=f"the disk is full after {layout.shards - len(missing)} of {layout.shards} "
            f"shards, and {in_words(need)} more are needed",
            cure="Free some space and run again: the finished shards are kept.",
        ) from error


def _header(layout: Layout, shard: int) -> bytes:
    stream = io.BytesIO()
    form: dict[str, Any] = {
        "descr": np.lib.format.dtype_to_descr(np.dtype(layout.stored)),
        "fortran_order": False,
        "shape": (len(layout.span(shard)), layout.width),
    }
    np.lib.format.write_array_header_1_0(stream, form)
    return stream.getvalue()


def _is_whole(folder: Path, layout: Layout, shard: int) -> bool:
    path, header = shard_path(folder, shard), _header(layout, shard)
    if not path.is_file():
        return False
    size = len(layout.span(shard)) * layout.row_bytes
    with path.open("rb") as stream:
        right_form = stream.read(len(header)) == header
    return right_form and path.stat().st_size == len(header) + size + _DIGEST

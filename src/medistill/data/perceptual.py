"""Perceptual hashes of image files, remembered between calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medistill.core.errors import DataError, MissingExtraError
from medistill.core.files import read_json, sha256_file, write_json
from medistill.data.processes import MOST_AT_ONCE, in_order, piece_size
from medistill.imaging.gray import to_gray
from medistill.imaging.reader import read_image

Bits = NDArray[np.bool_]
Float = NDArray[np.float32]
HashFunction = Callable[[Image.Image], str]
Progress = Callable[[int, int], None]
_CACHE = "perceptual-hashes.json"
_FORMAT = "phash-64-1"


def perceptual_hashes(
    paths: Mapping[str, Path],
    *,
    cache: Path | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> dict[str, Bits]:
    """64-bit DCT hash (imagehash ``phash``) of the gray picture in each readable file.

    Args:
        paths: image file by name.
        cache: folder that remembers hashes by file content, or None.
        workers: processes that decode; 0 decodes here.
        progress: called with (done, total) after every few files whose hash is not known.

    Returns:
        bool array of shape (64,) by name, without the files that cannot be read.

    Raises:
        MissingExtraError: imagehash is not installed.
    """
    hash_function()  # refuses before any file is read
    known = _load(cache)
    keys = {name: sha256_file(path) for name, path in paths.items() if path.is_file()}
    new = {key: paths[name] for name, key in keys.items() if key not in known}
    known |= zip(new, _hashed(list(new.values()), workers, progress), strict=True)
    if cache is not None and new:
        cache.mkdir(parents=True, exist_ok=True)
        write_json(cache / _CACHE, {"format": _FORMAT, "hashes": known})
    return {name: bits_of(known[key]) for name, key in keys.items() if known[key]}


def _hashed(paths: Sequence[Path], workers: int, progress: Progress | None) -> Iterator[str]:
    """Hashes of files in order; so few that one task could hold them are not worth a process."""
    workers = workers if len(paths) > MOST_AT_ONCE else 0
    size = piece_size(len(paths), workers)
    pieces = (paths[start : start + size] for start in range(0, len(paths), size))
    done = 0
    for found in in_order(pieces, _hashes_of, workers=workers):
        yield from found
        done += len(found)
        if progress is not None:
            progress(done, len(paths))


def _hashes_of(paths: Sequence[Path]) -> list[str]:
    return list(map(_hasher(), paths))


def hash_function() -> HashFunction:
    """Imagehash's ``phash`` of 64 bits, from a gray 8-bit picture to 16 hexadecimal digits.

    Raises:
        MissingExtraError: imagehash is not installed.
    """
    try:
        import imagehash
    except ImportError as error:
        raise MissingExtraError(command="grouping near-duplicates", extra="train") from error
    return lambda picture: str(imagehash.phash(picture, hash_size=8))


def picture_hash(gray: Float, hash_of: HashFunction) -> str:
    """Perceptual hash of gray pixels of shape (H, W) in [0, 1]."""
    return hash_of(Image.fromarray(np.rint(gray * 255).astype(np.uint8)))


def low_frequency_bits(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Perceptual hashes of many small pictures at once.

    As ``phash``: which of the 8 x 8 lowest coefficients of the cosine transform (DCT-II) are above
    their median. It differs in where the picture is shrunk to, so that a few of its 64 bits do.

    Args:
        small: N pictures of shape (N, S, S).

    Returns:
        64 bits as uint8 of shape (N, 8).
    """
    basis = _cosines(small.shape[-1])
    lines = small.astype(np.float32) @ basis.T
    low = (lines.transpose(0, 2, 1) @ basis.T).transpose(0, 2, 1).reshape(len(small), -1)
    return np.packbits(low > np.median(low, axis=1, keepdims=True), axis=1)


@cache
def _cosines(side: int) -> Float:
    """The lowest 8 vectors of the cosine transform, (8, side)."""
    place = np.arange(side) + 0.5
    return np.cos(np.pi / side * np.outer(np.arange(8), place)).astype(np.float32)


def _hasher() -> Callable[[Path], str]:
    """From file to 16 hexadecimal digits, or an empty text where it cannot be read."""
    act = hash_function()

    def hash_of(path: Path) -> str:
        try:
            gray = to_gray(read_image(path).pixels)
        except DataError:
            return ""
        return picture_hash(gray, act)

    return hash_of


def bits_of(text: str) -> Bits:
    """A hash of 16 hexadecimal digits as 64 bits."""
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), dtype=np.uint8)).astype(np.bool_)


def _load(cache: Path | None) -> dict[str, str]:
    if cache is None or not (cache / _CACHE).is_file():
        return {}
    try:
        value = read_json(cache / _CACHE)
        return dict(value["hashes"]) if value["format"] == _FORMAT else {}
    except (ValueError, KeyError, TypeError):
        # A cache that cannot be understood costs time, never a result.
        return {}

"""Facts of image files, many at a time: each is read once, and only small pictures are kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medistill.check.lettering import letters
from medistill.check.records import RECORD, Records
from medistill.check.reduction import (
    SIDE,
    canonical,
    eight_bit_gray,
    looks_of,
    small_picture,
)
from medistill.core.errors import DataError
from medistill.data.perceptual import low_frequency_bits
from medistill.data.processes import Place
from medistill.data.rows import content_hash
from medistill.imaging.picture import Picture
from medistill.imaging.resize import to_stored

_LARGEST, _WHITE = 512, 255


@dataclass(frozen=True)
class Stored:
    """Form in which a teacher's data were stored, so that its content hashes can be compared.

    Attributes:
        size: short side in pixels.
        channels: ``gray`` or ``rgb``.
    """

    size: int
    channels: Any


def measured(
    places: Sequence[Place], *, window: str | None = None, stored: Stored | None = None
) -> Records:
    """Facts of images; one that cannot be read has a problem instead.

    Args:
        places: the images.
        window: gray scale of CT, or None.
        stored: also hash this stored form.
    """
    found = np.zeros(len(places), dtype=RECORD)
    small = np.zeros((len(places), SIDE, SIDE), dtype=np.uint8)
    texts: list[str] = []
    for row, place in enumerate(places):
        try:
            picture = place.read(window)
        except DataError as error:
            found["unreadable"][row] = True
            texts.append(error.what)
            continue
        texts.append(_kind(picture.history[0]))
        small[row] = _note(found[row], picture, place.path, stored)
    _note_looks(found, small)
    return Records.of(found, texts)


def _note(record: Any, picture: Picture, path: str, stored: Stored | None) -> NDArray[np.uint8]:
    """Write down what needs every pixel; return the small picture."""
    gray = eight_bit_gray(picture)
    record["height"], record["width"] = gray.shape
    record["size_bytes"] = Path(path).stat().st_size
    record["white"] = round(np.count_nonzero(gray == _WHITE) / gray.size, 4)
    step = -(-max(gray.shape) // _LARGEST)
    # Nearest neighbours: letters stay sharp.
    record["letters"] = letters(gray[::step, ::step] if step > 1 else gray)
    record["content"] = _content(picture)
    if stored is not None:
        kept = to_stored(picture, stored_size=stored.size, channels=stored.channels)
        record["stored"] = bytes.fromhex(content_hash(kept))
    return small_picture(gray)


def _content(picture: Picture) -> bytes:
    """Of the pixels whatever the format: a re-encoded copy without loss has the same."""
    values = canonical(picture)
    found = hashlib.sha256(f"{values.dtype.name} {values.shape}".encode())
    found.update(np.ascontiguousarray(values).data)
    return found.digest()[:16]


def _note_looks(found: NDArray[np.void], small: NDArray[np.uint8]) -> None:
    looks = looks_of(small)
    found["bits"] = low_frequency_bits(small)
    found["thumb"] = looks.thumbs
    for name in ("low", "high", "mean", "corners", "edges"):
        found[name] = getattr(looks, name)


def _kind(line: str) -> str:
    """Format and mode without the size."""
    return " ".join(word for word in line.replace(",", "").split() if "x" not in word)

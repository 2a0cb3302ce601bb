"""What one image file tells besides its content: header, borders, hashes. Computed once a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medistill.check.lettering import letters
from medistill.core.errors import DataError
from medistill.core.files import sha256_bytes
from medistill.core.types import Sample
from medistill.data.perceptual import picture_hash
from medistill.imaging.gray import to_gray
from medistill.imaging.reader import read_image
from medistill.imaging.resize import to_stored

#: Version of what is computed: a cache of another one is not used.
VERSION = "facts-2"
_SIDE, _CORNER, _LARGEST, _THUMB = 64, 6, 512, 16
Gray = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Facts of one image.

    Attributes:
        problem: why it cannot be read; all else is empty then.
        kind: first line of its history: format, mode, bits.
        width: pixels of a row.
        height: rows.
        size_bytes: of the file.
        low: first percentile of gray.
        high: 99th percentile of gray.
        mean: mean gray.
        white: share of pixels that are full white.
        corners: mean gray of the four corners.
        edges: mean gray of the four edges, then their deviations.
        letters: signs that look like burnt-in text.
        content: hash of the decoded pixels, whatever the format.
        stored: content hash of the stored form, where it was asked for.
        bits: perceptual hash, 16 hexadecimal digits.
        thumb: 16 x 16 gray values of 8 bits, in hexadecimal.
    """

    problem: str = ""
    kind: str = ""
    width: int = 0
    height: int = 0
    size_bytes: int = 0
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    white: float = 0.0
    corners: tuple[float, ...] = ()
    edges: tuple[float, ...] = ()
    letters: int = 0
    content: str = ""
    stored: str = ""
    bits: str = ""
    thumb: str = ""

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Facts:
        """From a JSON object."""
        pairs: dict[str, Any] = {
            key: tuple(item) if isinstance(item, list) else item for key, item in value.items()
        }
        return cls(**pairs)


@dataclass(frozen=True)
class Stored:
    """Form in which a teacher's data were stored, so that its content hashes can be compared.

    Attributes:
        size: short side in pixels.
        channels: ``gray`` or ``rgb``.
    """

    size: int
    channels: Any


def facts_of(sample: Sample, *, window: str | None = None, stored: Stored | None = None) -> Facts:
    """Facts of a sample's image; one that cannot be read has a problem instead.

    Args:
        sample: whose image to read.
        window: gray scale of CT, or None.
        stored: also hash this stored form.
    """
    try:
        picture = read_image(sample.path, window=window, frame=sample.frame, plane=sample.plane)
    except DataError as error:
        return Facts(problem=error.what)
    gray = to_gray(picture.pixels)
    small = _small(gray, _SIDE)
    low, high = np.percentile(_small(gray, 2 * _SIDE), (1, 99))
    kept = to_stored(picture, stored_size=stored.size, channels=stored.channels) if stored else None
    return Facts(
        kind=_kind(picture.history[0]),
        width=gray.shape[1],
        height=gray.shape[0],
        size_bytes=sample.path.stat().st_size,
        low=_short(low),
        high=_short(high),
        mean=_short(small.mean()),
        white=_short((gray >= np.float32(254.5 / 255)).mean()),
        corners=_corners(small),
        edges=_edges(small),
        letters=letters(_at_most(gray, _LARGEST)),
        content=_hash(picture.pixels),
        stored="" if kept is None else _stored_hash(kept),
        bits=picture_hash(gray, _hash_function()),
        thumb=np.rint(_small(gray, _THUMB) * 255).astype(np.uint8).tobytes().hex(),
    )


@cache
def _hash_function() -> Any:
    from medistill.data.perceptual import hash_function

    return hash_function()


def _kind(line: str) -> str:
    """Format and mode without the size."""
    return " ".join(word for word in line.replace(",", "").split() if "x" not in word)


def _hash(pixels: Gray) -> str:
    """Of the pixels as 16-bit gray or colour: a re-encoded copy without loss has the same."""
    first = pixels[..., 0] if pixels.ndim == 3 else pixels
    flat = first if pixels.ndim == 2 or not (pixels != first[..., None]).any() else pixels
    values = np.rint(flat * np.float32(65535)).astype("<u2")
    return sha256_bytes(f"{values.shape}".encode() + values.tobytes())[:32]


def _stored_hash(values: NDArray[np.uint16]) -> str:
    from medistill.data.store import content_hash

    return content_hash(values)


def _small(gray: Gray, side: int) -> Gray:
    image = Image.fromarray(np.ascontiguousarray(gray))
    return np.asarray(image.resize((side, side), Image.Resampling.BOX), dtype=np.float32)


def _at_most(gray: Gray, side: int) -> Gray:
    """Gray of at most ``side`` pixels, nearest neighbours: letters stay sharp."""
    step = -(-max(gray.shape) // side)
    return gray[::step, ::step]


def _corners(small: Gray) -> tuple[float, ...]:
    near, far = slice(0, _CORNER), slice(-_CORNER, None)
    return tuple(_short(small[r, c].mean()) for r in (near, far) for c in (near, far))


def _edges(small: Gray) -> tuple[float, ...]:
    bands = (small[0], small[-1], small[:, 0], small[:, -1])
    means = (_short(band.mean()) for band in bands)
    return (*means, *(_short(band.std()) for band in bands))


def _short(value: Any) -> float:
    return round(float(value), 4)

"""What every reader returns, and how it refuses. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from medistill.core.errors import DataError
from medistill.imaging.levels import Float, Levels

#: Above this many pixels a file is refused before it is decoded (a decompression bomb).
MAX_PIXELS = 64_000_000
#: Above this ratio of sides a file is refused, since its stored form would be huge.
MAX_ASPECT = 32
#: Most characters of a reason: a damaged file can hold names of any length.
_LONGEST = 300
#: The cure where a refusal names none.
REPLACE = "Replace or remove the file, or allow unreadable images to be skipped."


@dataclass(frozen=True)
class Picture:
    """One decoded image.

    Attributes:
        source: the file's whole numbers where each stands for one gray, else float32 pixels.
        history: what was done to come here, for example ``("PNG RGBA 300x200", "alpha on black")``.
        modality: as a DICOM header says, for example ``CT``; empty where nothing does.
        body_part: likewise, for example ``CHEST``.
        burnt_in: whether a DICOM header says that text which may name a patient is burnt in.
    """

    source: Float | Levels
    history: tuple[str, ...] = ()
    modality: str = ""
    body_part: str = ""
    burnt_in: bool = False

    @cached_property
    def pixels(self) -> Float:
        """float32 in [0, 1], (H, W) or (H, W, 3); 0 is black, 1 the declared white."""
        return self.source.pixels() if isinstance(self.source, Levels) else self.source

    @property
    def levels(self) -> Levels | None:
        """The file's whole numbers, where they alone say the gray."""
        return self.source if isinstance(self.source, Levels) else None

    @property
    def shape(self) -> tuple[int, ...]:
        """(H, W) or (H, W, 3)."""
        return self.source.values.shape if isinstance(self.source, Levels) else self.source.shape


def refusal(where: object, what: str, cure: str = REPLACE) -> DataError:
    """The error for a file that is not read: ``what`` names the reason, in one printable line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in what).split())
    cut = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
    return DataError(where=where, what=cut, cure=cure)


def frame_cure(count: int) -> str:
    """How one of several frames or slices of a file is chosen, without the full stop."""
    return f"List it in a table (CSV) and name one, from 0 to {count - 1}, in its column 'frame'"


def check_size(where: object, *, width: int, height: int) -> None:
    """Refuse by what a header says, before memory is spent on pixels.

    Raises:
        DataError: no pixels, more than ``MAX_PIXELS``, or a needle.
    """
    if width < 1 or height < 1:
        raise refusal(where, f"has {width} x {height} pixels")
    if width * height > MAX_PIXELS:
        raise refusal(where, f"has {width} x {height} pixels, more than {MAX_PIXELS:,}")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise refusal(where, f"is {width} x {height} pixels: sides beyond 1:{MAX_ASPECT}")


def frozen(values: NDArray[np.float64]) -> Float:
    """Values in [0, 1] as read-only float32."""
    pixels = values.astype(np.float32)
    pixels.flags.writeable = False
    return pixels


def reason_of(error: BaseException) -> str:
    """First line of an error of a library (two if it announces more), or its kind, as a clause."""
    lines = (str(error) or type(error).__name__).split("\n")
    found = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    return " ".join(found.split()).rstrip(".")

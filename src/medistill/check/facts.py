"""What one image file tells besides its content: header, borders, hashes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """Facts of one image.

    Attributes:
        problem: why it cannot be read; all else is empty then.
        kind: first line of its history: format, mode, bits.
        width: pixels of a row.
        height: rows.
        size_bytes: of the file.
        low: first percentile of gray, of the picture at 64 x 64.
        high: 99th percentile of gray, of the picture at 64 x 64.
        mean: mean gray.
        white: share of pixels that are full white.
        corners: mean gray of the four corners.
        edges: mean gray of the four edges, then their deviations.
        letters: signs that look like burnt-in text; at least 1 where a DICOM header says so.
        content: hash (XXH3) of the decoded pixels, whatever the format.
        stored: content hash of the stored form, where it was asked for.
        bits: perceptual hash, 16 hexadecimal digits.
        thumb: 16 x 16 gray values of 8 bits, in hexadecimal.
        look: 32 x 32 gray values of 8 bits, in hexadecimal.
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
    look: str = ""

"""A contact sheet of phantoms, to be looked at.

The sheet in the documentation comes from

    python -m medistill.data.phantom.sheet docs/images/phantom-sheet.png
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medistill.core.files import write_bytes
from medistill.data.phantom.drawing import PhantomSlice, draw_phantom
from medistill.data.phantom.lesions import LESIONS

_COLOURS = {
    "ground-glass": (90, 200, 250),
    "consolidation": (255, 170, 60),
    "nodule": (90, 230, 120),
}


def contact_sheet(
    *, indices: Sequence[int], seed: int, size: int, columns: int = 4
) -> NDArray[np.uint8]:
    """Slices side by side, and below each row the same slices with their lesions outlined.

    Args:
        indices: which slices of the task ``lesion``.
        seed: which population.
        size: side of a slice in pixels.
        columns: slices in a row.

    Returns:
        (2 * rows * size, columns * size, 3) uint8.
    """
    rows = -(-len(indices) // columns)
    sheet = np.zeros((2 * rows * size, columns * size, 3), np.uint8)
    for place, index in enumerate(indices):
        drawn = draw_phantom(index=index, seed=seed, size=size)
        row, column = divmod(place, columns)
        across = slice(column * size, (column + 1) * size)
        top = 2 * row * size
        sheet[top : top + size, across] = drawn.pixels[..., None]
        sheet[top + size : top + 2 * size, across] = _outlined(drawn)
    return sheet


def _outlined(drawn: PhantomSlice) -> NDArray[np.uint8]:
    """(S, S, 3) with a coloured line just outside each lesion."""
    picture = np.repeat(drawn.pixels[..., None], 3, axis=2)
    for kind in LESIONS:
        mask = np.pad(drawn.masks[kind], 1)
        near = mask[:-2, 1:-1] | mask[2:, 1:-1] | mask[1:-1, :-2] | mask[1:-1, 2:]
        picture[near & ~drawn.masks[kind]] = _COLOURS[kind]
    return picture


def to_palette(sheet: NDArray[np.uint8], *, grays: int = 48) -> Image.Image:
    """A palette picture of few grays and the outlines' colours: smaller, as noise compresses ill.

    Args:
        sheet: (H, W, 3) as ``contact_sheet`` gives it.
        grays: number of gray levels kept.
    """
    levels = np.rint(np.linspace(0, 255, grays)).astype(np.uint8)
    index = np.rint(sheet[..., 0] * ((grays - 1) / 255)).astype(np.uint8)
    for place, colour in enumerate(_COLOURS.values()):
        index[(sheet == colour).all(-1)] = grays + place
    picture = Image.fromarray(index)
    picture.putpalette(
        [*np.repeat(levels, 3).tolist(), *np.ravel(list(_COLOURS.values())).tolist()]
    )
    return picture


def _main(path: Path) -> None:
    """Write the sheet of the documentation."""
    sheet = contact_sheet(indices=range(8, 16), seed=0, size=176)
    stream = io.BytesIO()
    to_palette(sheet).save(stream, format="PNG", optimize=True)
    write_bytes(path, stream.getvalue())


if __name__ == "__main__":
    _main(Path(sys.argv[1]))

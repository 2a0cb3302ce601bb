"""How many altered copies the check finds: known pairs made from the images of a set.

python -m benchmarks.near_copies $MEDISTILL_DATA/nih-cxr14-sample --images 100
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medistill.check.alignment import SIDE, aligned_likeness
from medistill.check.near import are_one
from medistill.check.pairs import loose_pairs, signs_of
from medistill.check.reduction import looks_of, small_picture
from medistill.core.ending import run_program
from medistill.data.layouts import read_data
from medistill.data.perceptual import low_frequency_bits

Change = Callable[[Image.Image], Image.Image]


def encoded(image: Image.Image, quality: int = 70) -> Image.Image:
    """As JPEG and back."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("L")


def cut(image: Image.Image, share: float, *, sides: bool = True) -> Image.Image:
    """A share away from all sides, or from the left and the top alone (a shift without a band)."""
    x, y = round(share * image.width), round(share * image.height)
    right, bottom = (image.width - x, image.height - y) if sides else image.size
    return encoded(image.crop((x, y, right, bottom)))


def shifted(image: Image.Image, share: float) -> Image.Image:
    """Down and to the right; a black band enters."""
    moved = Image.new("L", image.size)
    moved.paste(image, (round(share * image.width), round(share * image.height)))
    return encoded(moved)


CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        "JPEG, quality 50": lambda image: encoded(image, 50),
        "half the size": lambda image: image.reduce(2),
        "cut by 2 % on all sides": lambda image: cut(image, 0.02),
        "cut by 2 % left and top": lambda image: cut(image, 0.02, sides=False),
        "shifted by 2 %, black band": lambda image: shifted(image, 0.02),
        "cut by 5 % on all sides": lambda image: cut(image, 0.05),
    }
)


def found(whole: NDArray[np.uint8], copies: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of N pairs of small pictures the check holds for one picture."""
    answers = []
    for pair in zip(whole, copies, strict=True):
        both = np.stack(pair)
        looks = looks_of(both)
        signs = signs_of([bytes(row).hex() for row in low_frequency_bits(both)])
        near = bool(len(loose_pairs(signs, looks.thumbs)))
        small = looks.looks.reshape(2, 1, SIDE, SIDE)
        likeness = aligned_likeness(small[0], small[1])
        answers.append(near and bool(are_one(signs[:1], signs[1:], likeness)[0]))
    return np.array(answers)


def main() -> None:
    """Print the share of copies that are found, by kind of change."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=int, default=100)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        samples = read_data(chosen.data, cache=Path(cache)).samples
    rows = np.linspace(0, len(samples) - 1, min(chosen.images, len(samples))).astype(int)
    pictures = [Image.open(samples[row].path).convert("L") for row in rows.tolist()]
    whole = np.stack([small_picture(np.asarray(image)) for image in pictures])
    for name, change in CHANGES.items():
        copies = np.stack([small_picture(np.asarray(change(image))) for image in pictures])
        print(f"{name}: {100 * found(whole, copies).mean():.0f} % of {len(rows)}", flush=True)


if __name__ == "__main__":
    run_program(main, "near_copies")

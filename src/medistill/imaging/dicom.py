"""Reads one DICOM image as a radiologist would see it. Torch-free.

Pixels go through the modality LUT, the VOI LUT or window, and the inversion of MONOCHROME1
(``imaging.dicom_gray``); overlays are ignored. Malformed files are refused by what their header
says before memory is spent on them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array

from medistill.core.errors import MedistillError
from medistill.imaging.dicom_frame import lift_frame
from medistill.imaging.dicom_gray import (
    check_units,
    displayed,
    displayed_levels,
    has_few_values,
)
from medistill.imaging.dicom_header import Layout, check_layout, parse_dicom
from medistill.imaging.dicom_native import native_values
from medistill.imaging.dicom_stream import check_stream
from medistill.imaging.levels import Float, Levels
from medistill.imaging.picture import Picture, frozen, reason_of, refusal
from medistill.imaging.window import Window


def decode_dicom(
    stream: BinaryIO, *, where: object, window: Window | None = None, frame: int | None = None
) -> Picture:
    """Decode an open DICOM file of one frame.

    The gray scale is ``window`` for CT, else the file's VOI LUT, else its first window, else the
    range of its declared depth (CT: -1024 to 3071 HU). Padding is black. Enhanced files say both
    rescale and window for each frame or for all.

    Args:
        stream: the file, positioned at its start.
        where: how errors name it.
        window: replaces the window of CT; in Hounsfield units.
        frame: which frame of several, from 0; None reads single-frame files alone.

    Returns:
        (H, W) gray, or (H, W, 3) for RGB, YBR and palette files.

    Raises:
        DataError: no picture, damaged, of several frames, compressed in an unsupported way, too
            large, or CT without Hounsfield units to which ``window`` could apply; names the reason.
    """
    with named_faults(where):
        dataset = parse_dicom(stream, where)
        layout = check_layout(dataset, where, frame)
        lift_frame(dataset, layout, where)
        if window is not None:
            check_units(dataset, layout, window, where)
        check_stream(dataset, layout, where)
        raw: NDArray[np.generic] | None = native_values(dataset, layout)
        if raw is None:
            raw = np.asarray(pixel_array(dataset, index=layout.frame))
        source, steps = _source(raw, dataset, layout, window)
    return Picture(
        source,
        (layout.words(dataset), *steps),
        modality=layout.modality,
        body_part=str(dataset.get("BodyPartExamined") or ""),
        burnt_in=str(dataset.get("BurnedInAnnotation") or "").upper() == "YES",
    )


@contextmanager
def named_faults(where: object) -> Iterator[None]:
    """Whatever pydicom and its decoders raise over a bad file becomes one error that names it."""
    try:
        with warnings.catch_warnings():
            # pydicom warns of every oddity of a file; what matters is refused or in the history.
            warnings.simplefilter("ignore")
            yield
    except MedistillError:
        raise
    except (RecursionError, MemoryError) as error:
        kind = "nested too deeply" if isinstance(error, RecursionError) else "too large to be read"
        raise refusal(where, f"is damaged: its elements are {kind}") from None
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    # Parsers of foreign bytes raise anything, decoders written in Rust even panic, which is no
    # Exception; none may escape.
    except BaseException as error:
        raise refusal(where, f"is damaged DICOM ({reason_of(error)})") from error


def _source(
    raw: NDArray[np.generic], dataset: Dataset, layout: Layout, window: Window | None
) -> tuple[Float | Levels, tuple[str, ...]]:
    if raw.shape[:2] != (layout.height, layout.width):
        raise ValueError(f"the pixels are {raw.shape}, the header says {layout.size}")
    if layout.photometric == "PALETTE COLOR":
        bits = int(dataset.RedPaletteColorLookupTableDescriptor[2])
        coloured = np.asarray(apply_color_lut(raw, dataset), dtype=np.float64)
        return frozen(np.clip(coloured[..., :3] / (2**bits - 1), 0, 1)), ("palette",)
    if layout.samples == 3:
        white = 2**layout.bits_stored - 1
        steps = () if layout.photometric == "RGB" else (f"{layout.photometric} to RGB",)
        return frozen(np.clip(raw.astype(np.float64) / white, 0, 1)), steps
    if has_few_values(raw):
        return displayed_levels(raw, dataset, layout, window)
    shown, gray_steps = displayed(raw, dataset, layout, window)
    return frozen(shown), gray_steps

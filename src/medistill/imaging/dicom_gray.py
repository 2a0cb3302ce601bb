"""From stored DICOM values to the gray that is shown: modality LUT, VOI LUT or window, inversion.

The steps and their order are those of DICOM PS3.3, C.11.1 and C.11.2, and PS3.4, N.2.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.pixels.processing import apply_modality_lut
from pydicom.tag import Tag

from medistill.imaging.dicom_header import Layout
from medistill.imaging.dicom_table import table_of
from medistill.imaging.dicom_window import declared_window
from medistill.imaging.levels import Float, Levels
from medistill.imaging.picture import refusal
from medistill.imaging.window import FULL_HU, Window, apply_window

_PADDED = "padding black"
_LARGEST_TABLE = 2**16
#: What besides the layout decides the gray of a value, where there are no tables.
_SEQUENCES = ("ModalityLUTSequence", "VOILUTSequence")
_SCALARS = [
    Tag(word)
    for word in (
        "RescaleSlope",
        "RescaleIntercept",
        "WindowCenter",
        "WindowWidth",
        "VOILUTFunction",
        "PixelPaddingValue",
        "PixelPaddingRangeLimit",
    )
]
#: Tables that are remembered, of at most 256 KB; their ranges are rounded to so many values.
_MOST_TABLES, _STEP = 64, 1024
Values = NDArray[np.float64]
Shown = tuple[Values, tuple[str, ...]]


def check_units(dataset: Dataset, layout: Layout, window: Window, where: object) -> None:
    """Refuse a window in Hounsfield units for gray CT whose numbers are none.

    Raises:
        DataError: neither a rescale nor a modality LUT.
    """
    gray = layout.samples == 1 and layout.photometric != "PALETTE COLOR"
    if not gray or layout.modality != "CT" or dataset.get("ModalityLUTSequence"):
        return
    if _rescale(dataset) is None:
        raise refusal(
            where,
            f"is CT without a rescale to Hounsfield units, in which the window {window} is given",
            "Export it with RescaleSlope and RescaleIntercept, or name no window.",
        )


def displayed(
    raw: NDArray[np.generic], dataset: Dataset, layout: Layout, window: Window | None
) -> Shown:
    """Stored values as gray.

    Args:
        raw: (H, W) whole numbers as stored.
        dataset: the file's elements.
        layout: how its pixels lie.
        window: replaces the file's own for CT, in Hounsfield units.

    Returns:
        (H, W) float64 in [0, 1], 0 black and 1 white; and what was done.

    Raises:
        ValueError: impossible tables or windows.
    """
    stored = _without_unused_bits(raw, layout)
    physical, modality_steps = _modality(stored, dataset)
    shown, voi_steps = _voi(physical, dataset, layout, window)
    steps = [*modality_steps, *voi_steps]
    if layout.photometric == "MONOCHROME1":
        shown = 1 - shown
        steps.append("MONOCHROME1 inverted")
    padding = _padding(raw, stored, dataset)
    if padding is not None and padding.any():
        shown = np.where(padding, 0.0, shown)
        steps.append(_PADDED)
    return shown, tuple(steps)


def displayed_levels(
    raw: NDArray[np.generic], dataset: Dataset, layout: Layout, window: Window | None
) -> tuple[Levels, tuple[str, ...]]:
    """As :func:`displayed`, worked out once for each value between the smallest and the largest.

    Every step looks at one value alone, so that the gray is the same bit for bit. What files of a
    series have in common is remembered.

    Raises:
        ValueError: impossible tables or windows.
    """
    first, last = int(raw.min()), int(raw.max())
    if any(sequence in dataset for sequence in _SEQUENCES):
        shown = _tabled(first, last, raw.dtype, dataset, layout, window)
    else:
        first, last = _rounded(first, last, raw.dtype)
        shown = _remembered(first, last, raw.dtype, dataset, layout, window)
    numbers, steps = _from(first, raw), shown.steps
    # The padding value may lie between the smallest and the largest and yet be nowhere.
    if shown.padding is not None and not shown.padding.take(numbers).any():
        steps = tuple(step for step in steps if step != _PADDED)
    return Levels(numbers, table=shown.gray), steps


@dataclass(frozen=True)
class _Table:
    """Gray of each value of a range, float32 of shape (n,), and what was done.

    ``padding`` tells which values are no part of the picture, where any is.
    """

    gray: Float
    steps: tuple[str, ...]
    padding: NDArray[np.bool_] | None


_TABLES: dict[Hashable, _Table] = {}


def _remembered(
    first: int,
    last: int,
    dtype: np.dtype[Any],
    dataset: Dataset,
    layout: Layout,
    window: Window | None,
) -> _Table:
    said = tuple(str(dataset.get(tag)) for tag in _SCALARS)
    key = (first, last, dtype.str, replace(layout, frame=0), window, said)
    if key not in _TABLES:
        if len(_TABLES) >= _MOST_TABLES:
            _TABLES.clear()
        _TABLES[key] = _tabled(first, last, dtype, dataset, layout, window)
    return _TABLES[key]


def _tabled(
    first: int,
    last: int,
    dtype: np.dtype[Any],
    dataset: Dataset,
    layout: Layout,
    window: Window | None,
) -> _Table:
    values = np.arange(first, last + 1).astype(dtype)
    shown, steps = displayed(values, dataset, layout, window)
    padding = None
    if _PADDED in steps:
        padding = _padding(values, _without_unused_bits(values, layout), dataset)
    return _Table(shown.astype(np.float32), steps, padding)


def _rounded(first: int, last: int, dtype: np.dtype[Any]) -> tuple[int, int]:
    """A range that pictures of one series share, within what type and table can hold."""
    limits = np.iinfo(dtype)
    low, high = first // _STEP * _STEP, -(-(last + 1) // _STEP) * _STEP - 1
    low, high = max(low, int(limits.min)), min(high, int(limits.max))
    # Numbers of 32 bits may span a full table, which a rounded range would exceed.
    return (low, high) if high - low < _LARGEST_TABLE else (first, last)


def _from(first: int, raw: NDArray[np.generic]) -> NDArray[np.uint16]:
    """Values counted from the first of a table."""
    if raw.dtype.itemsize != 2 or not raw.dtype.isnative:
        return np.asarray(raw.astype(np.int64) - first, dtype=np.uint16)
    # Whole numbers of 16 bits wrap around: those with a sign need no wider ones.
    numbers: NDArray[np.uint16] = raw.view(np.uint16) - np.uint16(first % 2**16)
    return numbers


def has_few_values(raw: NDArray[np.generic]) -> bool:
    """Whether the values of a picture lie so close that a table of all between them is small."""
    if raw.dtype.kind not in "iu" or not raw.size:
        return False
    span = int(raw.max()) - int(raw.min()) + 1
    return span <= min(raw.size, _LARGEST_TABLE)


def _without_unused_bits(raw: NDArray[np.generic], layout: Layout) -> NDArray[np.int64]:
    """Old files keep overlays in the bits above those stored: cut them off, extend the sign."""
    values = raw.astype(np.int64)
    if layout.bits_stored >= layout.bits_allocated:
        return values
    kept = values & ((1 << layout.bits_stored) - 1)
    if layout.signed:
        kept -= (kept >> (layout.bits_stored - 1)) << layout.bits_stored
    return kept


def _modality(stored: NDArray[np.int64], dataset: Dataset) -> tuple[Values, tuple[str, ...]]:
    if dataset.get("ModalityLUTSequence"):
        return table_of(dataset, "ModalityLUTSequence")(stored), ("modality LUT",)
    rescale = _rescale(dataset)
    if rescale is None:
        return stored.astype(np.float64), ()
    if rescale[0] == 0:
        raise ValueError("a rescale slope of 0")
    step = "{:g} x + {:g}".format(*rescale)
    return np.asarray(apply_modality_lut(stored, dataset), np.float64), (step,)


def _rescale(dataset: Dataset) -> tuple[float, float] | None:
    """Slope and intercept, where both are given."""
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    return None if slope is None or intercept is None else (float(slope), float(intercept))


def _voi(physical: Values, dataset: Dataset, layout: Layout, window: Window | None) -> Shown:
    ct = layout.modality == "CT"
    if window is not None and ct:
        return apply_window(physical, window), (f"window {window}",)
    if dataset.get("VOILUTSequence"):
        return _voi_table(physical, dataset)
    shown, steps = declared_window(physical, dataset)
    if shown is not None:
        return shown, steps
    if ct and _rescale(dataset) is not None:
        return apply_window(physical, FULL_HU), (*steps, "no window declared: -1024 to 3071 HU")
    low, high = _declared_range(dataset, layout)
    scaled = np.clip((physical - low) / (high - low), 0, 1)
    return scaled, (*steps, f"no window declared: {low:g} to {high:g}")


def _voi_table(physical: Values, dataset: Dataset) -> Shown:
    table = table_of(dataset, "VOILUTSequence")
    shown = table(np.rint(physical).astype(np.int64))
    return np.clip(shown / (2**table.bits - 1), 0, 1), ("VOI LUT",)


def _declared_range(dataset: Dataset, layout: Layout) -> tuple[float, float]:
    """What the stored bits can hold, after the modality LUT."""
    if dataset.get("ModalityLUTSequence"):
        return 0.0, 2.0 ** int(dataset.ModalityLUTSequence[0].LUTDescriptor[2]) - 1
    low = -(2.0 ** (layout.bits_stored - 1)) if layout.signed else 0.0
    high = low + 2.0**layout.bits_stored - 1
    rescale = _rescale(dataset)
    if rescale is None:
        return low, high
    first, last = sorted(rescale[0] * end + rescale[1] for end in (low, high))
    if first == last:
        raise ValueError("a rescale slope of nearly 0")
    return first, last


def _padding(
    raw: NDArray[np.generic], stored: NDArray[np.int64], dataset: Dataset
) -> NDArray[np.bool_] | None:
    """Pixels that are no part of the picture (PS3.3, C.7.5.1.1.2).

    Devices write the value with a sign where the pixels have none, and the other way round, and
    values beyond the stored bits: what has the same 16 bits in the file is padding too.
    """
    value = dataset.get("PixelPaddingValue")
    if not isinstance(value, int):
        return None
    limit = dataset.get("PixelPaddingRangeLimit")
    ends = sorted((value, limit if isinstance(limit, int) else value))
    within = np.asarray((stored >= ends[0]) & (stored <= ends[1]))
    if raw.dtype.itemsize != 2 or raw.dtype.kind not in "iu":
        return within
    return np.asarray(within | (raw.astype(np.uint16) == value % 2**16))

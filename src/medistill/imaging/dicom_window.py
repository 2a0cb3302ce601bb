"""The window that a DICOM file declares for its gray. Torch-free.

Devices write pairs that cannot be (PS3.3, C.11.2.1.2): a width of 0 where there is no window, or a
function of their own. Like viewers, what cannot be is left out and said in the history.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from medistill.imaging.window import Window, apply_window

_LINEAR = "LINEAR"
_FUNCTIONS = (_LINEAR, "LINEAR_EXACT", "SIGMOID")


def declared_window(
    physical: NDArray[np.float64], dataset: Dataset
) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
    """Values through the first window of the file that can be.

    Args:
        physical: any shape, after the modality LUT.
        dataset: the file's elements.

    Returns:
        Gray in [0, 1] of the same shape, None where no window can be; and what was done.
    """
    function = str(dataset.get("VOILUTFunction") or _LINEAR).strip().upper()
    declared, steps = _windows(dataset), list[str]()
    if declared and function not in _FUNCTIONS:
        steps.append(f"the window function {function[:20]} is unknown: {_LINEAR}")
        function = _LINEAR
    possible = [window for window in declared if _is_possible(window, function)]
    if impossible := [str(window) for window in declared if window not in possible]:
        steps.append(f"impossible window {', '.join(impossible[:3])} left out")
    if not possible:
        return None, tuple(steps)
    more = f", first of {len(possible)}" if possible[1:] else ""
    steps.append(f"window {possible[0]}{more}")
    return apply_window(physical, possible[0], function=function), tuple(steps)


def _is_possible(window: Window, function: str) -> bool:
    if not (math.isfinite(window.centre) and math.isfinite(window.width)):
        return False
    return window.width >= 1 if function == _LINEAR else window.width > 0


def _windows(dataset: Dataset) -> list[Window]:
    """Windows of the file, without pairs that are not both given."""
    centres, widths = (_numbers(dataset.get(k)) for k in ("WindowCenter", "WindowWidth"))
    return [Window(c, w) for c, w in zip(centres, widths, strict=False)]


def _numbers(value: object) -> list[float]:
    if value is None or value == "":
        return []
    several = hasattr(value, "__iter__") and not isinstance(value, str)
    return [float(item) for item in (value if several else [value])]  # type: ignore[attr-defined]

"""Windows of gray: which physical values are black and white. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from medistill.core.errors import RecipeError, UnknownNameError

_WHITE = 65535


@dataclass(frozen=True)
class Window:
    """A linear window, in the units of the values (Hounsfield units for CT).

    Attributes:
        centre: the value that becomes middle gray.
        width: span from black to white, above 0.
    """

    centre: float
    width: float

    def __str__(self) -> str:
        return f"{self.centre:g}/{self.width:g}"


#: The usual windows of chest CT in Hounsfield units (centre, width).
PRESETS: Mapping[str, Window] = MappingProxyType(
    {"lung": Window(-600, 1500), "mediastinum": Window(40, 400), "bone": Window(400, 1800)}
)
#: How a window is named, for errors.
WINDOW_OPTIONS = "--window with check and predict, data.window= in a run"
#: What 12-bit CT can hold: for CT whose file declares no window.
FULL_HU = Window(1024, 4096)


def parse_window(value: str | Window | None) -> Window | None:
    """A window from a preset's name or ``centre/width``.

    Raises:
        RecipeError: neither, or a width that is not above 0.
    """
    if value is None or isinstance(value, Window):
        return value
    if value in PRESETS:
        return PRESETS[value]
    if "/" not in value:
        raise UnknownNameError(where="window", kind="window", name=value, known=PRESETS)
    centre, _, width = value.partition("/")
    try:
        window = Window(float(centre), float(width))
    except ValueError:
        window = Window(0, 0)
    if not (np.isfinite([window.centre, window.width]).all() and window.width > 0):
        cure = "Write centre/width in the values' units, such as -600/1500 for CT; width above 0."
        raise RecipeError(where="window", what=f"'{value}' is not a window", cure=cure)
    return window


def apply_window(
    values: NDArray[np.generic], window: Window, *, function: str = "LINEAR"
) -> NDArray[np.float64]:
    """Values through a window to [0, 1].

    DICOM PS3.3, C.11.2.1.2 (pydicom's implementation): black up to centre - 0.5 - (width - 1) / 2,
    white above centre - 0.5 + (width - 1) / 2 for ``LINEAR``. That formula has no width below 1:
    such a window is exact.

    Args:
        values: any shape, in the window's units.
        window: centre and width.
        function: ``LINEAR``, ``LINEAR_EXACT`` or ``SIGMOID``.

    Raises:
        ValueError: an impossible width or another function.
    """
    # Here, since most sets have no window, and pydicom loads slowly.
    from pydicom import Dataset
    from pydicom.pixels.processing import apply_windowing

    declared = Dataset()
    declared.PhotometricInterpretation = "MONOCHROME2"
    declared.BitsStored, declared.PixelRepresentation = 16, 0
    declared.WindowCenter, declared.WindowWidth = window.centre, window.width
    exact = function == "LINEAR" and 0 < window.width < 1
    declared.VOILUTFunction = "LINEAR_EXACT" if exact else function
    shown = apply_windowing(np.asarray(values, dtype=np.float64), declared)
    return np.clip(np.asarray(shown, dtype=np.float64) / _WHITE, 0.0, 1.0)

"""Reads one slice of a NIfTI volume, upright as on a radiologist's screen. Torch-free.

Volumes are brought to RAS+ axes first (nibabel), whatever order they are stored in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from medistill.core.types import Plane
from medistill.imaging.nifti_file import named_faults, open_volume
from medistill.imaging.picture import Picture, check_size, frame_cure, frozen, refusal
from medistill.imaging.unpacked import kept_volume
from medistill.imaging.window import WINDOW_OPTIONS, Window, apply_window

_AXIS = {"sagittal": 0, "coronal": 1, "axial": 2}
# Largest difference between entries of two affines, in millimetres, that is taken for rounding.
_SAME_AFFINE = 1e-3


def decode_nifti(
    stream: BinaryIO,
    *,
    where: object,
    window: Window | None = None,
    frame: int | None = None,
    plane: Plane = "axial",
) -> Picture:
    """Decode one slice of an open NIfTI file.

    The gray scale is ``window``, else the display range of the header (``cal_min``, ``cal_max``),
    else the white of 8-bit data. Other values have no declared white and are refused.

    Args:
        stream: the file, gzipped or not, positioned at its start.
        where: how errors name it.
        window: in the volume's units (Hounsfield units for CT).
        frame: the slice, from 0: from the left (sagittal), back (coronal) or feet (axial). None
            reads volumes of one slice alone.
        plane: the plane of the slice.

    Returns:
        (H, W) gray; the patient's right is on the left, and anterior (axial, sagittal: left) or
        superior on top.

    Raises:
        DataError: damaged, too large, several slices and none chosen, or no gray scale declared.
        MissingExtraError: nibabel is not installed.
    """
    volume = kept_volume(stream, where)
    return shown_slice(volume, where=where, window=window, frame=frame, plane=plane)


def shown_slice(
    volume: Any, *, where: object, window: Window | None, frame: int | None, plane: Plane
) -> Picture:
    """One slice of an open volume, as :func:`decode_nifti` gives it."""
    header = volume.header
    values, words = slice_of(volume, where=where, frame=frame, plane=plane)
    if not np.isfinite(values).all():
        raise refusal(where, "holds values that are not numbers")
    low, high = float(header["cal_min"]), float(header["cal_max"])
    if window is not None:
        shown = apply_window(values, window, function=_function(volume))
        return Picture(frozen(shown), (words, f"window {window}"))
    if high > low:
        shown = np.clip((values - low) / (high - low), 0, 1)
        return Picture(frozen(shown), (words, f"display range {low:g} to {high:g}"))
    if header.get_data_dtype() != np.uint8 or _scale(volume) != (1, 0):
        cure = f"Name one, such as lung or 40/400: {WINDOW_OPTIONS}."
        raise refusal(where, f"declares no gray scale ({_span(values)}): name a window", cure)
    return Picture(frozen(values / 255), (words,))


def slice_of(
    volume: Any, *, where: object, frame: int | None, plane: Plane
) -> tuple[NDArray[np.float64], str]:
    """One slice of a volume, as float64 (H, W) in the volume's units, and words on it.

    Raises:
        DataError: no such slice, several slices and none chosen, or damaged.
    """
    if plane not in get_args(Plane):
        raise refusal(where, f"cannot be cut along '{plane}'", f"Use {', '.join(_AXIS)}.")
    with named_faults(where):
        place = _place(volume, frame, plane, where)
        upright = _upright(_read(volume, place.axis, place.stored), place.transform)
    words = f"NIfTI {'x'.join(map(str, volume.shape[:3]))}, {plane} slice {place.number}"
    check_size(where, width=upright.shape[1], height=upright.shape[0])
    return upright, words


def put_slice(
    labels: NDArray[np.uint8], mask: NDArray[np.uint8], volume: Any, *, frame: int, plane: Plane
) -> None:
    """Lay an upright mask back to where :func:`slice_of` cut its picture out.

    Args:
        labels: of the volume's own shape, in its own axes; changed.
        mask: (H, W), as the slice was shown.
        volume: as :func:`open_volume` gives it.
        frame: the slice.
        plane: its plane.
    """
    place = _place(volume, frame, plane, "the mask")
    transform, turned = place.transform, place.transform[0, 0] > place.transform[1, 0]
    # The steps of _upright, undone in reverse order.
    values = np.flip(mask.T, (0, 1))
    for axis, row in enumerate(transform[::-1] if turned else transform):
        if row[1] < 0:
            values = np.flip(values, axis)
    index: list[Any] = [slice(None)] * 3
    index[place.axis] = place.stored
    labels[tuple(index)] = values.T if turned else values


class _Place(NamedTuple):
    """Where a slice lies: its number, stored axis and index, and the axes that it keeps."""

    number: int
    axis: int
    stored: int
    transform: NDArray[np.float64]


def _place(volume: Any, frame: int | None, plane: Plane, where: object) -> _Place:
    transform = _orientation(np.asarray(volume.affine), where)
    axis = int(np.flatnonzero(transform[:, 0] == _AXIS[plane])[0])
    count = int(volume.shape[axis])
    number = _chosen(count, frame, where)
    stored = count - 1 - number if transform[axis, 1] < 0 else number
    return _Place(number, axis, stored, np.delete(transform, axis, axis=0))


def _orientation(affine: NDArray[np.float64], where: object) -> NDArray[np.float64]:
    """World axis and direction of each stored axis, float64 of shape (3, 2)."""
    import nibabel

    if not np.isfinite(affine).all():
        raise refusal(where, "has an affine with entries that are not numbers")
    transform = nibabel.io_orientation(affine)  # type: ignore[no-untyped-call]
    if np.isnan(transform).any():
        raise refusal(where, "has axes that are not independent")
    return np.asarray(transform)


def _read(volume: Any, axis: int, number: int) -> NDArray[np.float64]:
    """A plane of the volume as it is stored, without reading the rest."""
    places = [slice(None)] * 3
    index: list[Any] = list(places)
    index[axis] = number
    index += [0] * (len(volume.shape) - 3)
    return np.asarray(volume.dataobj[tuple(index)], dtype=np.float64)


def _upright(values: NDArray[np.float64], transform: NDArray[np.float64]) -> NDArray[np.float64]:
    """A stored plane turned to the screen: first remaining world axis across, second upwards."""
    if transform[0, 0] > transform[1, 0]:
        values, transform = values.T, transform[::-1]
    for axis in range(2):
        if transform[axis, 1] < 0:
            values = np.flip(values, axis)
    # RAS+ grows to the right, the front and the head; a screen shows the patient's right (sagittal:
    # front) on the left, and front (axial) or head on top.
    return np.flip(values, (0, 1)).T


def _function(volume: Any) -> str:
    """The window's formula: DICOM's own for whole numbers in steps of 1, as Hounsfield units are.

    That formula counts from the middle of one value to that of the next, which shifts and narrows
    the window of values that have no steps, or other ones.
    """
    slope, inter = _scale(volume)
    whole = volume.get_data_dtype().kind in "iu" and slope == 1 and inter == round(inter)
    return "LINEAR" if whole else "LINEAR_EXACT"


def _scale(volume: Any) -> tuple[float, float]:
    """Slope and intercept of the stored values; of an open volume the header no longer has them."""
    return float(volume.dataobj.slope), float(volume.dataobj.inter)


def _chosen(count: int, frame: int | None, where: object) -> int:
    if frame is None and count > 1:
        cure = f"{frame_cure(count)}."
        raise refusal(where, f"holds {count} slices, one is expected", cure)
    if frame is not None and not 0 <= frame < count:
        raise refusal(where, f"has no slice {frame}: it holds {count}")
    return frame or 0


def _span(values: NDArray[np.float64]) -> str:
    return f"values from {values.min():g} to {values.max():g}"


def slice_count(path: Path, plane: Plane) -> int:
    """Number of slices of a volume along a plane, from its header.

    Raises:
        DataError: the file cannot be opened, or is damaged.
    """
    shape, affine = _grid(path)
    with named_faults(path):
        transform = _orientation(affine, path)
    return int(shape[int(np.flatnonzero(transform[:, 0] == _AXIS[plane])[0])])


def other_grid(volume: Path, label_map: Path) -> str:
    """How a label map's grid differs from its volume's, from both headers; empty where it does not.

    Raises:
        DataError: a file cannot be opened, or is damaged.
    """
    (shape, affine), (other, turned) = _grid(volume), _grid(label_map)
    if shape != other:
        return f"has {_sides(other)} voxels, its volume {_sides(shape)}"
    if not np.allclose(affine, turned, rtol=0, atol=_SAME_AFFINE):
        return "lies elsewhere, or turned, in space: its affine is not that of its volume"
    return ""


def _grid(path: Path) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    """Shape (X, Y, Z) and affine (4, 4) of a volume as it is stored."""
    try:
        with path.open("rb") as stream:
            volume = open_volume(stream, path)
    except OSError as error:
        raise refusal(path, f"cannot be opened ({error.strerror})") from error
    return tuple(int(length) for length in volume.shape[:3]), np.asarray(volume.affine)


def _sides(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))

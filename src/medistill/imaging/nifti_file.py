"""Opens NIfTI volumes, and refuses by their header what is no gray volume. Torch-free."""

from __future__ import annotations

import gzip
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

import numpy as np

from medistill.core.errors import MedistillError, MissingExtraError
from medistill.imaging.picture import reason_of, refusal

# Bytes of extensions before the voxels; they are some thousands at most.
_MOST_BEFORE = 64 * 2**20
#: Above this many voxels a volume is refused before it is read.
MAX_VOXELS = 1_000_000_000


def open_volume(stream: BinaryIO, where: object) -> Any:
    """An open NIfTI file as a nibabel image in RAS+ axes, its voxels not yet read.

    Raises:
        DataError: damaged, or too large.
        MissingExtraError: nibabel is not installed.
    """
    try:
        import nibabel
    except ImportError as error:
        raise MissingExtraError(command="reading NIfTI", extra="nifti") from error
    with named_faults(where), _silent(nibabel.imageglobals.logger):
        start = stream.tell()
        zipped = stream.read(2) == b"\x1f\x8b"
        stream.seek(start)
        plain = gzip.GzipFile(fileobj=stream) if zipped else stream
        wide = int.from_bytes(plain.read(4), "little") in (540, 0x1C020000)
        plain.seek(0 if zipped else start)
        kind = nibabel.Nifti2Image if wide else nibabel.Nifti1Image
        image = kind.from_stream(cast("io.IOBase", plain))
        _check_values(image.get_data_dtype(), where)  # type: ignore[no-untyped-call]
        _check_shape(image.shape, where)
        _check_offset(int(image.dataobj.offset), where)  # type: ignore[attr-defined]
    return image


@contextmanager
def named_faults(where: object) -> Iterator[None]:
    """Whatever nibabel and gzip raise over a bad file becomes one error that names it."""
    try:
        with warnings.catch_warnings():
            # Of oddities of a header, and of arithmetic with what is refused as no number.
            warnings.simplefilter("ignore")
            yield
    except MedistillError:
        raise
    except MemoryError:
        raise refusal(where, "is NIfTI too large to be read") from None
    except Exception as error:  # parsers of foreign bytes raise anything, and none may escape
        raise refusal(where, f"is damaged or truncated NIfTI ({reason_of(error)})") from error


@contextmanager
def _silent(log: logging.Logger) -> Iterator[None]:
    """Without nibabel's lines on the terminal over a header that an error names."""
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _check_offset(offset: int, where: object) -> None:
    """Refuse a header that claims to be followed by more than any extension holds."""
    if offset > _MOST_BEFORE:
        raise refusal(where, f"is damaged NIfTI: its voxels would begin at byte {offset:,}")


def _check_values(dtype: np.dtype[Any], where: object) -> None:
    """Refuse by the header what is no gray: a conversion would fail, or lose half in silence."""
    if dtype.fields is not None:
        raise refusal(where, "holds colours (RGB), gray values are expected of a volume")
    if dtype.kind == "c":
        raise refusal(where, "holds complex numbers, gray values are expected of a volume")


def _check_shape(shape: tuple[int, ...], where: object) -> None:
    if len(shape) < 3 or any(length < 1 for length in shape):
        raise refusal(where, f"has the shape {shape}, a volume is expected")
    if int(np.prod([int(n) for n in shape], dtype=object)) > MAX_VOXELS:
        raise refusal(where, f"claims the shape {shape}, more than {MAX_VOXELS:,} voxels")
    if any(length > 1 for length in shape[3:]):
        raise refusal(where, f"has the shape {shape}: several volumes, one is expected")

"""A NIfTI volume that is cut into all its slices, and the label map that grows from them.

Torch-free.
"""

from __future__ import annotations

import gzip
import zlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from medistill.core.files import write_bytes
from medistill.core.types import Plane
from medistill.imaging.nifti import put_slice, shown_slice
from medistill.imaging.nifti_file import open_volume
from medistill.imaging.picture import Picture, reason_of, refusal
from medistill.imaging.unpacked import is_gzipped, unpacked_volume
from medistill.imaging.window import Window

_IN_MEMORY = 512 * 2**20


class OpenVolume:
    """An open NIfTI file; a gzipped one is unpacked once, not for every slice.

    Args:
        path: the file.

    Raises:
        DataError: it cannot be opened, or is damaged.
        MissingExtraError: nibabel is not installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with ExitStack() as opened:
            try:
                file: BinaryIO = opened.enter_context(path.open("rb"))
                if is_gzipped(file):
                    volume, plain = unpacked_volume(file, path, _IN_MEMORY)
                    opened.callback(plain.close)
                else:
                    volume = open_volume(file, path)
            except (OSError, EOFError, zlib.error) as error:
                raise refusal(path, f"cannot be read ({reason_of(error)})") from error
            self.image = volume
            self._opened = opened.pop_all()

    def picture(self, number: int, plane: Plane, window: Window | None) -> Picture:
        """One slice as ``read_image`` gives it.

        Raises:
            DataError: damaged, or no gray scale is declared.
        """
        return shown_slice(self.image, where=self.path, window=window, frame=number, plane=plane)

    def close(self) -> None:
        """Give the file back; what was read stays."""
        self._opened.close()


class LabelMap:
    """Class numbers of a volume, filled slice by slice, in the axes of the volume itself.

    Args:
        path: the volume; its affine, codes and units are those of the map.

    Raises:
        DataError: its header cannot be read.
    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self._image = open_volume(file, path)
        except OSError as error:
            raise refusal(path, f"cannot be opened ({error.strerror})") from error
        self._labels = np.zeros(tuple(self._image.shape[:3]), np.uint8)

    def put(self, mask: NDArray[np.uint8], number: int, plane: Plane) -> None:
        """Lay the mask (H, W) of a slice into its place."""
        put_slice(self._labels, mask, self._image, frame=number, plane=plane)

    def save(self, path: Path) -> None:
        """Write the map as NIfTI; of the volume itself it holds the grid alone."""
        write_label_map(path, self._labels, self._image.affine, like=self._image)


def write_label_map(
    path: Path, labels: NDArray[np.uint8], affine: NDArray[np.floating] | None, like: Any = None
) -> None:
    """Write class numbers as a NIfTI-1 file (NIfTI-2 where the volume is).

    Args:
        path: ending in ``.nii`` or ``.nii.gz``.
        labels: (X, Y, Z).
        affine: from voxels to millimetres, RAS+; None where no geometry is known.
        like: the volume whose codes and units are kept; None for a picture of its own.
    """
    import nibabel

    kind = nibabel.Nifti1Image if like is None else type(like)
    image = kind(labels, affine)
    image.header.set_data_dtype(np.uint8)
    if like is not None:
        for form in ("sform", "qform"):
            matrix, code = getattr(like, f"get_{form}")(coded=True)
            getattr(image, f"set_{form}")(matrix, int(code))
        image.header.set_xyzt_units(*like.header.get_xyzt_units())
    content = image.to_bytes()
    packed = gzip.compress(content, mtime=0) if path.name.endswith(".gz") else content
    write_bytes(path, packed)

"""One reader under comparison, in its own environment: files in, arrays as a network gets them out.

    PYTHON -m benchmarks.dicom_system medistill|monai|lightly-train FOLDER

Reads FOLDER/cases/*.dcm and writes FOLDER/SYSTEM/NAME.npy, or NAME.txt with the reason why not;
what is there already is left. Of medistill only `medistill` is imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Read = Callable[[Path], NDArray[Any]]


def medistill() -> Read:
    """What training, export and prediction of medistill read."""
    from medistill.imaging.reader import read_image

    return lambda path: np.asarray(read_image(path).pixels)


def monai() -> Read:
    """MONAI's transform with its pydicom reader; it gives columns first."""
    from monai.transforms import LoadImage

    load = LoadImage(reader="PydicomReader", image_only=True)
    return lambda path: np.asarray(load(str(path))).swapaxes(0, 1)


def lightly_train() -> Read:
    """LightlyTrain's loader of images, before its augmentations; bytes as shares of 255."""
    os.environ["LIGHTLY_TRAIN_EVENTS_DISABLED"] = "1"
    os.environ["LIGHTLY_TRAIN_IMAGE_MODE"] = "UNCHANGED"
    from lightly_train._data import file_helpers

    def read(path: Path) -> NDArray[Any]:
        found = np.asarray(
            file_helpers.open_image_numpy(path, mode=file_helpers.ImageMode.UNCHANGED)
        )
        return found / 255 if found.dtype == np.uint8 else found

    return read


SYSTEMS: dict[str, Callable[[], Read]] = {
    "medistill": medistill,
    "monai": monai,
    "lightly-train": lightly_train,
}


def main(name: str, folder: Path) -> None:
    """Read every case that has not been read."""
    out = folder / name
    out.mkdir(exist_ok=True)
    read = SYSTEMS[name]()
    for path in sorted((folder / "cases").glob("*.dcm")):
        if any((out / f"{path.stem}{ending}").exists() for ending in (".npy", ".txt")):
            continue
        try:
            np.save(out / f"{path.stem}.npy", read(path))
        except Exception as error:  # whatever a reader refuses with is a result
            (out / f"{path.stem}.txt").write_text(str(error).partition("\n")[0] or repr(error))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

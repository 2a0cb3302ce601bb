"""The images of a benchmark: phantoms, stored once for medistill and laid out for the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.workload import Workload
from medistill.data.layouts import read_data
from medistill.data.storing import build_store
from medistill.imaging.resize import render

STORED_SIZE = 256


def write_images(workload: Workload) -> None:
    """Write the store, and its images rendered once at the networks' size for the other systems."""
    folder = Path(workload.folder)
    spec = f"phantom:count={workload.images},size={STORED_SIZE}"
    images = read_data(spec, cache=folder / "drawn")
    store = build_store(images, folder / "store", stored_size=STORED_SIZE, channels="gray")
    gray = np.stack(
        [render(store[row], size=workload.size, fit="stretch") for row in range(len(store))]
    )
    np.save(folder / "images.npy", np.repeat(gray, 3, axis=1))
    labels = np.arange(workload.images, dtype=np.int64) % workload.classes
    np.save(folder / "labels.npy", labels)

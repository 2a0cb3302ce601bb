"""What every system is given: the same images, models, objective and threads. Torch-free."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Precision = Literal["float32", "bfloat16"]
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class Workload:
    """One distillation, to be carried out by each system.

    The objective is ``(1 - soft_weight) CE + soft_weight T^2 KL``, the optimiser AdamW with the
    gradient's norm clipped at 1.

    Attributes:
        folder: holds ``store/`` (decoded 16-bit images) for medistill, and ``images.npy`` (N, 3,
            S, S) float32 in [0, 1] with ``labels.npy`` (N,) for the others.
        images: N, images an epoch.
        classes: K.
        size: S, side in pixels of what both networks see.
        batch_size: images a step; divides ``images``.
        teacher: timm's name of the teacher, a DeiT.
        student: timm's name of the student, a DeiT.
        epochs: epochs that will be asked for, warm-up included.
        views: renditions an image that medistill caches.
        threads: of each system.
        precision: of the arithmetic.
        lr: learning rate.
        temperature: T.
        soft_weight: weight of the teacher's term.
        seed: of weights and order.
    """

    folder: str
    images: int
    classes: int
    size: int
    batch_size: int
    teacher: str
    student: str
    epochs: int
    views: int
    threads: int
    precision: Precision = "float32"
    lr: float = 5e-4
    temperature: float = 4.0
    soft_weight: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.images % self.batch_size:
            raise ValueError(f"batch size {self.batch_size} does not divide {self.images} images")

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Workload:
        """Read what ``write`` wrote."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def pixels(self) -> NDArray[np.float32]:
        """(N, 3, S, S) float32 in [0, 1], memory-mapped: nothing is decoded or resized."""
        loaded: NDArray[np.float32] = np.load(Path(self.folder) / "images.npy", mmap_mode="r")
        return loaded

    def labels(self) -> NDArray[np.int64]:
        """(N,) class indices."""
        loaded: NDArray[np.int64] = np.load(Path(self.folder) / "labels.npy")
        return loaded

"""The other systems' view of the images: already decoded and resized, flipped, normalised.

They are given the cheapest path there is: no decoding, no resizing, a flip as the only
augmentation. medistill renders its views from the store within the time that is measured.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.data import Dataset

from benchmarks.workload import IMAGENET_MEAN, IMAGENET_STD, Workload


class Flipped(Dataset[tuple[Tensor, int]]):
    """Normalised images (3, S, S), each flipped with probability one half, and their labels."""

    def __init__(self, workload: Workload) -> None:
        self._pixels, self._labels = workload.pixels(), workload.labels()
        self._mean = torch.tensor(IMAGENET_MEAN).view(3, 1, 1)
        self._std = torch.tensor(IMAGENET_STD).view(3, 1, 1)

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = (torch.tensor(self._pixels[index]) - self._mean) / self._std
        if torch.rand(()) < 0.5:
            image = image.flip(-1)
        return image, int(self._labels[index])

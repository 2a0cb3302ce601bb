"""What one training step sees."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(kw_only=True)
class Batch:
    """One rendition of B images, at the student's and, for a live teacher, the teacher's size.

    Attributes:
        index: (B,) int64 rows of the store.
        view: (B,) int64 view numbers; 0 is un-augmented.
        hashes: B content hashes of the stored images, the keys of cached targets.
        images: (B, C, S, S) float32 in [0, 1], not yet normalised.
        teacher_images: (B, C, T, T) float32 in [0, 1], or None. Is ``images`` itself, not a copy,
            where T equals S: never change one in place.
        labels: (B, K) float32. Single-label: class probabilities, a row of NaN where the label is
            unknown. Multi-label: 0, 1 or NaN.
        masks: (B, S, S) int64 class indices of the pixels, 255 where unknown; None where there are
            no masks.
        mixed: whether images were combined (mixup, cutmix), so that no row is one image's view.
    """

    index: Tensor
    view: Tensor
    hashes: list[str]
    images: Tensor
    teacher_images: Tensor | None
    labels: Tensor
    masks: Tensor | None = None
    mixed: bool = False

    def masks_or_fail(self) -> Tensor:
        """The masks.

        Raises:
            ValueError: the batch was made from a set without masks.
        """
        if self.masks is None:
            raise ValueError("this batch has no masks")
        return self.masks

    def __len__(self) -> int:
        """Number of images, B."""
        return len(self.hashes)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Batch:
        """The same batch with its images, labels and numbers on ``device``."""
        images = self.images.to(device, non_blocking=non_blocking)
        teacher = self.teacher_images
        if teacher is self.images:
            teacher = images
        elif teacher is not None:
            teacher = teacher.to(device, non_blocking=non_blocking)
        return replace(
            self,
            index=self.index.to(device, non_blocking=non_blocking),
            view=self.view.to(device, non_blocking=non_blocking),
            images=images,
            teacher_images=teacher,
            labels=self.labels.to(device, non_blocking=non_blocking),
            masks=None if self.masks is None else self.masks.to(device, non_blocking=non_blocking),
        )

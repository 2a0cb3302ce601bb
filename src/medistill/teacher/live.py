"""Targets computed when they are asked for."""

from __future__ import annotations

from torch import Tensor

from medistill.core.errors import TargetsError
from medistill.data.batch import Batch
from medistill.teacher.frozen import FrozenTeacher, Precision


class LiveTargets:
    """Asks the teacher about every batch, whatever was done to its images.

    Args:
        teacher: who is asked.
        needs: names of the targets, ``logits`` and features of the teacher.
        precision: in which the teacher computes.
    """

    def __init__(
        self, teacher: FrozenTeacher, needs: frozenset[str], *, precision: Precision = "float32"
    ) -> None:
        self.teacher, self.needs, self.precision = teacher, needs, precision

    @property
    def mixable(self) -> bool:
        """Whether images may be mixed: not under a cross-fitted teacher.

        A mixture of two images of different folds was never unseen by any one member.
        """
        return not self.teacher.cross_fitted

    def get(self, batch: Batch) -> dict[str, Tensor]:
        """The teacher's outputs for ``batch.teacher_images``.

        Returns:
            Name of target -> (B, ...) float32 on the device of ``batch.images``.

        Raises:
            TargetsError: mixed images and a cross-fitted teacher.
            ValueError: the batch was made without ``teacher_images``.
        """
        if batch.mixed and not self.mixable:
            raise TargetsError(
                where="train.mixup, train.cutmix",
                what="images are mixed across the folds of a cross-fitted teacher, and no member "
                "has left both unseen",
                cure="Set train.mixup and train.cutmix to 0, or teacher.cross_fit to false.",
            )
        if batch.teacher_images is None:
            raise ValueError("a live teacher needs a stream made with teacher_size")
        answers = self.teacher.targets(
            batch.teacher_images, self.needs, batch.hashes, precision=self.precision
        )
        return {name: value.to(batch.images.device) for name, value in answers.items()}

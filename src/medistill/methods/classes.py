"""What methods that compare class scores share."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from medistill.core.errors import RecipeError
from medistill.losses.standard import standardised

Shapes = Mapping[str, tuple[int, ...]]


def check_same_classes(student_dims: Shapes, teacher_dims: Shapes) -> None:
    """Refuse a teacher of other classes; the scores of pixels may be of other sizes.

    Raises:
        RecipeError: teacher and student have not the same number of classes.
    """
    if student_dims["logits"][0] != teacher_dims["logits"][0]:
        raise RecipeError(
            where="teacher",
            what=f"it scores {teacher_dims['logits'][0]} classes, the student "
            f"{student_dims['logits'][0]}",
            cure="Fit the teacher on the student's classes first.",
        )


def check_standardise(standardise: bool, student_dims: Shapes) -> None:
    """Refuse standardised logits of two classes.

    Raises:
        RecipeError: two standardised logits are -1 and 1 for every image, whatever it shows.
    """
    if standardise and student_dims["logits"][0] < 3:
        raise RecipeError(
            where="method.standardise",
            what="two standardised logits are -1 and 1 for every image, so nothing is transferred",
            cure="Set method.standardise=false; it needs three or more classes.",
        )


def score_pair(student: Tensor, teacher: Tensor, *, standardise: bool) -> tuple[Tensor, Tensor]:
    """Both (B, K) logits as they are, or standardised."""
    if not standardise:
        return student, teacher
    return standardised(student), standardised(teacher.detach())


def target_classes(labels: Tensor, teacher: Tensor) -> Tensor:
    """(B,) index of the class that counts as the target.

    The label's largest share; of an unlabelled image, the teacher's top class.

    Args:
        labels: (B, K) class probabilities, NaN rows where unlabelled.
        teacher: (B, K) logits.
    """
    unlabelled = labels.isnan().any(dim=-1)
    return torch.where(unlabelled, teacher.argmax(dim=-1), labels.nan_to_num(0.0).argmax(dim=-1))

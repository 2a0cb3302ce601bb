"""What differs by the labels: where the scores are, and how labels and teacher judge them.

A student says one class of an image, yes or no of several labels, or a class of every pixel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from medistill.core.errors import RecipeError
from medistill.core.types import Task
from medistill.losses.labels import binary_cross_entropy, binary_kl
from medistill.losses.logits import softened_kl
from medistill.losses.masks import pixel_kl
from medistill.losses.task import cross_entropy
from medistill.methods.classes import check_same_classes, check_standardise, score_pair
from medistill.methods.method import Shapes
from medistill.methods.multi_label import spoken_of
from medistill.methods.supervised_masks import SupervisedMasks
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch


def scores_of(task: Task) -> str:
    """Name of a task's class scores: those of pixels are compared before interpolation."""
    return "coarse" if task == "segmentation" else "logits"


def check_answers(
    task: Task, student_dims: Shapes, teacher_dims: Shapes, *, standardise: bool
) -> None:
    """Refuse scores that cannot be compared.

    Raises:
        RecipeError: other classes, or standardised scores of two.
    """
    ours, theirs = ({"logits": dims[scores_of(task)]} for dims in (student_dims, teacher_dims))
    check_same_classes(ours, theirs)
    check_standardise(standardise, ours)


def check_exclusive(task: Task, standardise: bool) -> None:
    """Refuse to standardise over labels that do not exclude each other.

    Raises:
        RecipeError: several labels an image, and standardised scores.
    """
    if standardise and task == "multi-label":
        raise RecipeError(
            where="method.standardise",
            what="it is over classes that exclude each other, and these labels do not",
            cure="Set method.standardise=false.",
        )


def require_scores(task: Task, names: frozenset[str]) -> frozenset[str]:
    """Features that hold the scores, beside the logits that are always there.

    Raises:
        RecipeError: masks are asked of a student that makes none.
    """
    if task != "segmentation":
        return frozenset()
    if "coarse" not in names:
        raise RecipeError(
            where="student.decoder",
            what="the student has no 'coarse' scores of pixels",
            cure="Set student.decoder=mlp with a pyramid such as pvt_v2_b0.",
        )
    return frozenset({"coarse"})


def label_terms(task: Task, outputs: Outputs, batch: Batch, head: Tensor) -> dict[str, Tensor]:
    """``hard`` of labels, or ``pixels`` and ``dice`` of masks.

    Args:
        task: what the labels are.
        outputs: the student's, whose logits are held against masks.
        batch: labels and masks.
        head: (B, K) logits that are held against labels.
    """
    if task == "segmentation":
        return SupervisedMasks().terms(outputs, {}, batch, nn.ModuleDict())
    loss = binary_cross_entropy if task == "multi-label" else cross_entropy
    return {"hard": loss(logits=head, labels=batch.labels)}


def softened(
    task: Task,
    *,
    student: Tensor,
    teacher: Tensor,
    batch: Batch,
    temperature: float,
    standardise: bool = False,
) -> Tensor:
    """Hinton's term: of classes, of each label that the teacher speaks of, or of each pixel.

    Args:
        task: what the labels are.
        student: (B, K) logits, or (B, K, h, w) of pixels.
        teacher: (B, K) logits, or (B, K, H, W) of pixels; detached.
        batch: whose labels are known.
        temperature: T.
        standardise: compare standardised scores.
    """
    if task == "multi-label":
        known = spoken_of(batch.labels)
        return binary_kl(student=student, teacher=teacher, temperature=temperature, known=known)
    if task == "single-label":
        ours, theirs = score_pair(student, teacher, standardise=standardise)
        return softened_kl(student=ours, teacher=theirs, temperature=temperature)
    last = [each.movedim(1, -1) for each in (student, teacher)]
    ours, theirs = (each.movedim(-1, 1) for each in score_pair(*last, standardise=standardise))
    return pixel_kl(student=ours, teacher=theirs, temperature=temperature)

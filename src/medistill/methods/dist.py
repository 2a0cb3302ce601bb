"""DIST: correlations of class scores, over the classes and over the batch.

Huang, You, Wang, Qian and Xu, "Knowledge Distillation from a Stronger Teacher", NeurIPS 2022.

    L = CE(z_s, y) + beta T^2 (1 - r over classes) + gamma T^2 (1 - r over the batch)

With two classes the correlation over classes is 1 or -1 and has no gradient; that term is then left
out, and the one over the batch, which for the same reason needs three images, teaches. With masks
each pixel counts as an image, as in the paper's runs on segmentation.

Departures from the paper
-------------------------
- ``class_weight`` (beta) and ``batch_weight`` (gamma) of 2 and ``temperature`` 1 are those of its
  ImageNet runs; on CIFAR it takes T = 4.
- A deviation below 0.01 counts as 0.01, so that equal scores do not blow the gradient up.
- ``standardise`` is an addition: Sun et al., CVPR 2024.
- Unlabelled images count in the correlations alone.
- ``task`` = multi-label is ours: the logistic function of each label in the place of the softmax,
  CE label by label, correlations over the labels that the teacher may speak of (an unknown label of
  a labelled image is left out).
- ``task`` = segmentation compares pixels at a quarter of the resolution, before interpolation, and
  has Dice beside the cross-entropy. The teacher speaks of unlabelled pixels too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, get_args

from torch import Tensor, nn

from medistill.core.types import Task
from medistill.losses.maps import resized
from medistill.losses.relations import (
    batch_relations,
    class_relations,
    label_batch_relations,
    label_relations,
)
from medistill.methods.answers import (
    check_answers,
    check_exclusive,
    label_terms,
    require_scores,
    scores_of,
)
from medistill.methods.classes import score_pair
from medistill.methods.method import Shapes
from medistill.methods.multi_label import spoken_of
from medistill.methods.ranges import check_choice, check_temperature, check_weights
from medistill.methods.undefined import OTHER_TASK, Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch


@dataclass(frozen=True, kw_only=True)
class Dist:
    """Correlation with the teacher's scores instead of equality.

    Attributes:
        temperature: T; softens both sides.
        class_weight: beta, of the correlation over the classes of an image.
        batch_weight: gamma, of the correlation over the images of a batch.
        standardise: compare standardised logits; needs three or more classes that exclude each
            other.
        task: what the labels are.

    Raises:
        RecipeError: a value is out of range.
    """

    temperature: float = 1.0
    class_weight: float = 2.0
    batch_weight: float = 2.0
    standardise: bool = False
    task: Task = "single-label"
    undefined: ClassVar[Undefined] = OTHER_TASK

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        check_weights(class_weight=self.class_weight, batch_weight=self.batch_weight)
        check_choice("task", self.task, get_args(Task))
        check_exclusive(self.task, self.standardise)

    @property
    def needs(self) -> frozenset[str]:
        """The scores."""
        return frozenset({scores_of(self.task)})

    @property
    def tasks(self) -> frozenset[Task]:
        """The one that the recipe names."""
        return frozenset({self.task})

    @property
    def smallest_batch(self) -> int:
        """Of two images the correlation is 1 or -1; pixels are many."""
        return 1 if self.task == "segmentation" else 3

    def wants(self, student: Network) -> frozenset[str]:
        """The scores of pixels; else no features, since the logits suffice.

        Raises:
            RecipeError: masks are asked of a student that makes none.
        """
        return require_scores(self.task, student.feature_names)

    def inert(self, classes: int) -> dict[str, str]:
        """The term that cannot teach two classes."""
        reason = "the correlation of two scores is 1 or -1"
        return {"class_relations": reason} if classes < 3 else {}

    def adapters(self, student_dims: Shapes, teacher_dims: Shapes) -> nn.ModuleDict:
        """None.

        Raises:
            RecipeError: other classes, or two classes to standardise.
        """
        check_answers(self.task, student_dims, teacher_dims, standardise=self.standardise)
        return nn.ModuleDict()

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """``hard``, or those of masks, ``class_relations`` and ``batch_relations``."""
        name = scores_of(self.task)
        given = outputs.features.get(name, outputs.logits)
        classes = given.shape[1]
        within, across = self._relations(given, targets[name], batch)
        terms = label_terms(self.task, outputs, batch, outputs.logits)
        terms["batch_relations"] = self.batch_weight * across
        if not self.inert(classes):
            terms["class_relations"] = self.class_weight * within
        return terms

    def _relations(self, student: Tensor, teacher: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Over the classes and over the batch."""
        if self.task == "multi-label":
            asked = {"temperature": self.temperature}
            known = spoken_of(batch.labels)
            return (
                label_relations(student=student, teacher=teacher, known=known, **asked),
                label_batch_relations(student=student, teacher=teacher, known=known, **asked),
            )
        if self.task == "segmentation":
            student = resized(student, (teacher.shape[-2], teacher.shape[-1]))
            student, teacher = (each.movedim(1, -1).flatten(0, 2) for each in (student, teacher))
        ours, theirs = score_pair(student, teacher, standardise=self.standardise)
        return (
            class_relations(student=ours, teacher=theirs, temperature=self.temperature),
            batch_relations(student=ours, teacher=theirs, temperature=self.temperature),
        )

"""DIST: correlations of class scores, over the classes and over the batch.

Huang, You, Wang, Qian and Xu, "Knowledge Distillation from a Stronger Teacher", NeurIPS 2022.

    L = CE(z_s, y) + beta T^2 (1 - r over classes) + gamma T^2 (1 - r over the batch)

With two classes the correlation over classes is 1 or -1 and has no gradient; that term is then left
out, and the one over the batch teaches.

Departures from the paper
-------------------------
- ``class_weight`` (beta) and ``batch_weight`` (gamma) of 2 and ``temperature`` 1 are those of its
  ImageNet runs; on CIFAR it takes T = 4.
- A deviation below 0.01 counts as 0.01, so that equal scores do not blow the gradient up.
- ``standardise`` is an addition: Sun et al., CVPR 2024.
- Unlabelled images count in the correlations alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from medistill.core.types import Task
from medistill.losses.relations import batch_relations, class_relations
from medistill.losses.task import cross_entropy
from medistill.methods.classes import check_same_classes, check_standardise, score_pair
from medistill.methods.method import SINGLE_LABEL, Shapes
from medistill.methods.ranges import check_temperature, check_weights
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
        standardise: compare standardised logits; needs three or more classes.

    Raises:
        RecipeError: a value is out of range.
    """

    temperature: float = 1.0
    class_weight: float = 2.0
    batch_weight: float = 2.0
    standardise: bool = False
    needs: ClassVar[frozenset[str]] = frozenset({"logits"})
    tasks: ClassVar[frozenset[Task]] = SINGLE_LABEL
    smallest_batch: ClassVar[int] = 2

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        check_weights(class_weight=self.class_weight, batch_weight=self.batch_weight)

    def wants(self, student: Network) -> frozenset[str]:
        """No features: the logits suffice."""
        return frozenset()

    def inert(self, classes: int) -> dict[str, str]:
        """The term that cannot teach two classes."""
        reason = "the correlation of two scores is 1 or -1"
        return {"class_relations": reason} if classes < 3 else {}

    def adapters(self, student_dims: Shapes, teacher_dims: Shapes) -> nn.ModuleDict:
        """None.

        Raises:
            RecipeError: other classes, or two classes to standardise.
        """
        check_same_classes(student_dims, teacher_dims)
        check_standardise(self.standardise, student_dims)
        return nn.ModuleDict()

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """``hard``, ``class_relations`` (three classes or more) and ``batch_relations``."""
        ours, theirs = score_pair(outputs.logits, targets["logits"], standardise=self.standardise)
        temperature = self.temperature
        across = batch_relations(student=ours, teacher=theirs, temperature=temperature)
        terms = {
            "hard": cross_entropy(logits=outputs.logits, labels=batch.labels),
            "batch_relations": self.batch_weight * across,
        }
        if not self.inert(ours.shape[-1]):
            within = class_relations(student=ours, teacher=theirs, temperature=temperature)
            terms["class_relations"] = self.class_weight * within
        return terms

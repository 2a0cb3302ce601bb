"""Hinton's distillation: softened class probabilities between any two networks.

Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015.

    L = (1 - a) CE(z_s, y) + a T^2 KL(softmax(z_t / T) || softmax(z_s / T))

With ``soft_weight`` = 1, a live teacher and mixup it is the consistent teaching of Beyer et al.,
"Knowledge distillation: A good teacher is patient and consistent", CVPR 2022. With ``standardise``
both logits are first standardised (Sun et al., "Logit Standardization in Knowledge Distillation",
CVPR 2024).

Departures from the paper
-------------------------
- ``temperature`` = 4 and ``soft_weight`` = 0.9 are our defaults; Hinton et al. search both.
- The two terms are a convex mixture; the paper gives them separate weights.
- Unlabelled images count in the soft term alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from medistill.core.types import Task
from medistill.losses.logits import softened_kl
from medistill.losses.task import cross_entropy
from medistill.methods.classes import check_same_classes, check_standardise, score_pair
from medistill.methods.method import SINGLE_LABEL, Shapes
from medistill.methods.ranges import check_share, check_temperature
from medistill.methods.undefined import ONE_CLASS, Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch


@dataclass(frozen=True, kw_only=True)
class Hinton:
    """Softened class probabilities of the teacher, beside the labels.

    Attributes:
        temperature: T; softens both sides.
        soft_weight: a in [0, 1]; weight of the teacher against the labels.
        standardise: compare standardised logits; needs three or more classes.

    Raises:
        RecipeError: a value is out of range.
    """

    temperature: float = 4.0
    soft_weight: float = 0.9
    standardise: bool = False
    needs: ClassVar[frozenset[str]] = frozenset({"logits"})
    tasks: ClassVar[frozenset[Task]] = SINGLE_LABEL
    undefined: ClassVar[Undefined] = ONE_CLASS
    smallest_batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        check_share(self.soft_weight, "method.soft_weight")

    def wants(self, student: Network) -> frozenset[str]:
        """No features: the logits suffice."""
        return frozenset()

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
        """``hard`` from the labels and ``soft`` from the teacher, weighted."""
        hard = cross_entropy(logits=outputs.logits, labels=batch.labels)
        ours, theirs = score_pair(outputs.logits, targets["logits"], standardise=self.standardise)
        soft = softened_kl(student=ours, teacher=theirs, temperature=self.temperature)
        return {"hard": (1 - self.soft_weight) * hard, "soft": self.soft_weight * soft}

"""NKD: the target class weighted by the teacher, the others normalised.

Yang et al., "From Knowledge Distillation to Self-Knowledge Distillation: A Unified Approach with
Normalized Loss and Customized Soft Labels", ICCV 2023.

    L = CE(z_s, y) - p_t(y) log p_s(y) + gamma T^2 CE among the other classes, each side normalised

With two classes there is but one other, so the last term is left out.

Departures from the paper
-------------------------
- The last term is a divergence instead of a cross-entropy: it differs by the teacher's own entropy,
  a constant, so that 0 means agreement.
- ``others_weight`` (gamma) = 1 and ``temperature`` = 1 are the paper's for ViT students.
- Where labels are mixed or smoothed, the class of the largest share is the target; of an unlabelled
  image, the teacher's top class is.
- ``standardise`` is an addition, for the last term: Sun et al., CVPR 2024.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from medistill.core.types import Task
from medistill.losses.decoupled import others_kl, target_entropy
from medistill.losses.task import cross_entropy
from medistill.methods.classes import (
    check_same_classes,
    check_standardise,
    score_pair,
    target_classes,
)
from medistill.methods.method import SINGLE_LABEL, Shapes
from medistill.methods.ranges import check_temperature, check_weights
from medistill.methods.undefined import ONE_CLASS, Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch


@dataclass(frozen=True, kw_only=True)
class NKD:
    """Normalised distillation.

    Attributes:
        temperature: T of the other classes.
        others_weight: gamma, of the divergence among the other classes.
        standardise: compare standardised logits among the others; needs three or more classes.

    Raises:
        RecipeError: a value is out of range.
    """

    temperature: float = 1.0
    others_weight: float = 1.0
    standardise: bool = False
    needs: ClassVar[frozenset[str]] = frozenset({"logits"})
    tasks: ClassVar[frozenset[Task]] = SINGLE_LABEL
    undefined: ClassVar[Undefined] = ONE_CLASS
    smallest_batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        check_weights(others_weight=self.others_weight)

    def wants(self, student: Network) -> frozenset[str]:
        """No features: the logits suffice."""
        return frozenset()

    def inert(self, classes: int) -> dict[str, str]:
        """The term that cannot teach two classes."""
        return {"others": "there is but one other class"} if classes < 3 else {}

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
        """``hard``, ``target`` and, with three classes or more, ``others``."""
        said, logits = targets["logits"], outputs.logits
        target = target_classes(batch.labels, said)
        terms = {
            "hard": cross_entropy(logits=logits, labels=batch.labels),
            "target": target_entropy(student=logits, teacher=said, target=target),
        }
        if not self.inert(logits.shape[-1]):
            ours, theirs = score_pair(logits, said, standardise=self.standardise)
            terms["others"] = self.others_weight * others_kl(
                student=ours, teacher=theirs, target=target, temperature=self.temperature
            )
        return terms

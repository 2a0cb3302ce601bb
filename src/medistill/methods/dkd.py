"""DKD: Hinton's divergence with the target class taken apart from the others.

Zhao, Cui, Song, Qiu and Liang, "Decoupled Knowledge Distillation", CVPR 2022.

    L = CE(z_s, y) + alpha T^2 KL(target or not) + beta T^2 KL(among the others)

With two classes there is but one other, so the last term is left out.

Departures from the paper
-------------------------
- ``target_weight`` (alpha) = 1 and ``others_weight`` (beta) = 8 with ``temperature`` 4 are the
  paper's for CIFAR-100; for ImageNet it takes beta 0.5 and T = 1.
- The paper raises the weight of both terms over the first 20 epochs; here the warm-up of the
  learning rate alone protects the start.
- Where labels are mixed or smoothed, the class of the largest share is the target; of an unlabelled
  image, the teacher's top class is.
- ``standardise`` is an addition: Sun et al., CVPR 2024.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from medistill.core.types import Task
from medistill.losses.decoupled import others_kl, target_kl
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
class DKD:
    """Decoupled distillation.

    Attributes:
        temperature: T; softens both sides.
        target_weight: alpha, of "the target or not".
        others_weight: beta, of the divergence among the other classes.
        standardise: compare standardised logits; needs three or more classes.

    Raises:
        RecipeError: a value is out of range.
    """

    temperature: float = 4.0
    target_weight: float = 1.0
    others_weight: float = 8.0
    standardise: bool = False
    needs: ClassVar[frozenset[str]] = frozenset({"logits"})
    tasks: ClassVar[frozenset[Task]] = SINGLE_LABEL
    undefined: ClassVar[Undefined] = ONE_CLASS
    smallest_batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        check_weights(target_weight=self.target_weight, others_weight=self.others_weight)

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
        said = targets["logits"]
        target = target_classes(batch.labels, said)
        ours, theirs = score_pair(outputs.logits, said, standardise=self.standardise)
        temperature = self.temperature
        terms = {
            "hard": cross_entropy(logits=outputs.logits, labels=batch.labels),
            "target": self.target_weight
            * target_kl(student=ours, teacher=theirs, target=target, temperature=temperature),
        }
        if not self.inert(ours.shape[-1]):
            terms["others"] = self.others_weight * others_kl(
                student=ours, teacher=theirs, target=target, temperature=temperature
            )
        return terms

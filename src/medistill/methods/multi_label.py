"""Several labels an image: Hinton's distillation, label by label.

Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015, with the logistic
function of each label in the place of the softmax over classes.

    L = (1 - a) BCE(z_s, y) + a T^2 sum over labels of KL(sigmoid(z_t / T) || sigmoid(z_s / T))

A label that is unknown (NaN) counts in neither term, unless the whole image is unlabelled: then the
teacher speaks of all labels.

Departures from the paper
-------------------------
- ``temperature`` = 2 and ``soft_weight`` = .5 are our defaults: a sigmoid has no small classes that
  a high temperature could show.
- ``mask_unknown`` = false lets the teacher speak of unknown labels of labelled images too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from medistill.core.types import Task
from medistill.losses.labels import binary_cross_entropy, binary_kl
from medistill.methods.classes import check_same_classes
from medistill.methods.method import MULTI_LABEL, Shapes
from medistill.methods.ranges import check_share, check_temperature
from medistill.methods.undefined import EACH_LABEL, Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch


@dataclass(frozen=True, kw_only=True)
class MultiLabel:
    """Softened yes and no of each label.

    Attributes:
        temperature: T; softens both sides.
        soft_weight: a in [0, 1]; weight of the teacher against the labels.
        mask_unknown: leave unknown labels of labelled images out of the teacher's term too.

    Raises:
        RecipeError: a value is out of range.
    """

    temperature: float = 2.0
    soft_weight: float = 0.5
    mask_unknown: bool = True
    needs: ClassVar[frozenset[str]] = frozenset({"logits"})
    tasks: ClassVar[frozenset[Task]] = MULTI_LABEL
    undefined: ClassVar[Undefined] = EACH_LABEL
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
            RecipeError: teacher and student have not the same number of labels.
        """
        check_same_classes(student_dims, teacher_dims)
        return nn.ModuleDict()

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """``hard`` from the labels and ``soft`` from the teacher, weighted."""
        hard = binary_cross_entropy(logits=outputs.logits, labels=batch.labels)
        known = spoken_of(batch.labels) if self.mask_unknown else None
        soft = binary_kl(
            student=outputs.logits,
            teacher=targets["logits"],
            temperature=self.temperature,
            known=known,
        )
        return {"hard": (1 - self.soft_weight) * hard, "soft": self.soft_weight * soft}


def spoken_of(labels: Tensor) -> Tensor:
    """(B, K) bool: labels of which the teacher speaks: known ones, and all of unlabelled images."""
    unknown = labels.isnan()
    return ~unknown | unknown.all(dim=-1, keepdim=True)

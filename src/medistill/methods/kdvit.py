"""KDViT: a large ViT teaches a small one with softened class probabilities.

Lim, Lim, Chang and Lee, "KDViT: COVID-19 diagnosis on CT-scans with knowledge distillation of
vision transformer", Automatika 65(3), 1113-1126, 2024, doi 10.1080/00051144.2024.2349416.

    L = (1 - a) CE(z_s, y) + a T^2 KL(softmax(z_t / T) || softmax(z_s / T))

summed over classes and averaged over the batch; Hinton, Vinyals and Dean, 2015.

A re-implementation from the published description: what could be read of the paper is its
abstract, its beginning and its list of references. Unspecified details are filled from the works
it cites, and each is marked as ours below.

Departures from the paper
-------------------------
- ``temperature`` = 4 and ``soft_weight`` = 0.9 are our defaults; the paper's values were not
  found. They are what public implementations of Hinton's loss commonly use; with two or three
  classes a higher temperature leaves almost nothing but the top class.
- That only class scores are distilled, and no features or attention, is our reading: the paper's
  visible references name Hinton et al. and a survey, and no work on features.
- ``standardise`` is an addition: Sun et al., "Logit Standardization", CVPR 2024.
- Unlabelled images are allowed: they count in the soft term alone. The paper has none.
- A student with a distillation token is allowed: its logits are the mean of both heads. The
  paper's student is a plain ViT.
- A teacher that is not a ViT is allowed; such a run is a departure and must be named one.
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
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch


@dataclass(frozen=True, kw_only=True)
class KDViT:
    """Hinton's distillation from a ViT to a ViT.

    Attributes:
        temperature: T; softens both sides. Our default, not the paper's.
        soft_weight: a in [0, 1]; weight of the teacher against the labels. Our default.
        standardise: compare standardised logits; needs three or more classes.

    Raises:
        RecipeError: a value is out of range.
    """

    temperature: float = 4.0
    soft_weight: float = 0.9
    standardise: bool = False
    needs: ClassVar[frozenset[str]] = frozenset({"logits"})
    tasks: ClassVar[frozenset[Task]] = SINGLE_LABEL
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

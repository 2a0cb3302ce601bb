"""Labels alone, several an image: how such a teacher is fitted, and the control.

    L = BCE(z, y), or focal loss (Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017)

Departures from the paper
-------------------------
- The focal loss is summed over labels and averaged over images; Lin et al. divide by the number of
  positives. ``focus`` = 2 and ``positive`` = .25 are theirs; the default is plain cross-entropy.
- Both heads of a DeiT learn from the labels, as in the control of single-label methods.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from medistill.core.types import Task
from medistill.losses.labels import focal
from medistill.methods.heads import HEADS, has_heads
from medistill.methods.method import MULTI_LABEL, Shapes
from medistill.methods.ranges import check_focus
from medistill.methods.undefined import EACH_LABEL, Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch


@dataclass(frozen=True, kw_only=True)
class SupervisedLabels:
    """Cross-entropy, or focal loss, of each label, on every head that the model has.

    Attributes:
        focus: gamma of the focal loss; 0 is cross-entropy.
        positive: alpha of the focal loss, weight of a yes; null weighs both by 1.

    Raises:
        RecipeError: a value is out of range.
    """

    focus: float = 0.0
    positive: float | None = None
    needs: ClassVar[frozenset[str]] = frozenset()
    tasks: ClassVar[frozenset[Task]] = MULTI_LABEL
    undefined: ClassVar[Undefined] = EACH_LABEL
    smallest_batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_focus(self.focus, self.positive)

    def wants(self, student: Network) -> frozenset[str]:
        """Both heads of a distilled ViT, nothing of any other model."""
        return frozenset(HEADS) if has_heads(student) else frozenset()

    def adapters(self, student_dims: Shapes, teacher_dims: Shapes) -> nn.ModuleDict:
        """None."""
        return nn.ModuleDict()

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """``hard``, or its halves ``head`` and ``head_dist``."""
        if HEADS[1] not in outputs.features:
            return {"hard": self._loss(outputs.logits, batch.labels)}
        return {name: self._loss(outputs.features[name], batch.labels) / 2 for name in HEADS}

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        return focal(logits=logits, labels=labels, focus=self.focus, positive=self.positive)

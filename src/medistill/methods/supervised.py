"""Labels alone: how a teacher is fitted, and the control of every comparison.

The control is the same student on the same views for the same number of steps without a teacher;
what distilling adds is measured against it.

    L = CE(z, y), or the mean of CE(z_cls, y) and CE(z_dist, y) where there are two heads

Departures from the paper
-------------------------
None: there is no paper. That both heads of a DeiT learn from the labels is our choice; else the
second head would stay untrained in the control while it counts in the prediction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from medistill.core.types import Task
from medistill.losses.task import cross_entropy
from medistill.methods.method import SINGLE_LABEL, Shapes
from medistill.methods.undefined import ONE_CLASS, Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch

_HEADS = frozenset({"head", "head_dist"})


@dataclass(frozen=True, kw_only=True)
class Supervised:
    """Cross-entropy against the labels, on every head that the model has."""

    needs: ClassVar[frozenset[str]] = frozenset()
    tasks: ClassVar[frozenset[Task]] = SINGLE_LABEL
    undefined: ClassVar[Undefined] = ONE_CLASS
    smallest_batch: ClassVar[int] = 1

    def wants(self, student: Network) -> frozenset[str]:
        """Both heads of a distilled ViT, nothing of any other model."""
        return _HEADS if student.feature_names >= _HEADS else frozenset()

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
        if "head_dist" not in outputs.features:
            return {"hard": cross_entropy(logits=outputs.logits, labels=batch.labels)}
        return {
            name: cross_entropy(logits=outputs.features[name], labels=batch.labels) / 2
            for name in sorted(_HEADS)
        }

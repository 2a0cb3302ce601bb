"""OFA: early exits bring a student's layers into the space of class scores.

Hao, Guo, Han, Tang, Hu, Wang and Xu, "One-for-All: Bridge the Gap Between Heterogeneous
Architectures in Knowledge Distillation", NeurIPS 2023.

    L = CE(z_s, y) + w sum over exits and the last scores of -sum_K ((p_t + y)^e - y) log p_s

Made for teachers of another kind: only scores are compared, at every depth.

Departures from the paper
-------------------------
- An exit is a layer-norm over the pooled layer and a linear map; the paper's exits are blocks of
  the student's own kind, thrown away like these after training.
- ``exits`` = 4 and ``power`` (e) = 1 to 1.5 are the paper's; ``exit_weight`` (w) = 1 is.
- ``standardise`` is an addition: Sun et al., CVPR 2024.
- Of an unlabelled image y is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from medistill.core.errors import RecipeError
from medistill.core.types import Task
from medistill.losses.one_for_all import target_enhanced
from medistill.losses.task import cross_entropy
from medistill.methods.classes import check_same_classes, check_standardise, score_pair
from medistill.methods.features import as_map, layers, map_shape, require_layers, spread
from medistill.methods.method import SINGLE_LABEL, Shapes
from medistill.methods.ranges import check_weights
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch


@dataclass(frozen=True, kw_only=True)
class OFA:
    """Scores at early exits.

    Attributes:
        exits: how many of the student's layers get an exit, at even distances.
        exit_weight: w, of the teacher's terms.
        power: e, at least 1; above 1 leans to the label the surer the teacher is of it.
        standardise: compare standardised logits; needs three or more classes.

    Raises:
        RecipeError: a value is out of range.
    """

    exits: int = 4
    exit_weight: float = 1.0
    power: float = 1.0
    standardise: bool = False
    needs: ClassVar[frozenset[str]] = frozenset({"logits"})
    tasks: ClassVar[frozenset[Task]] = SINGLE_LABEL
    smallest_batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_weights(exit_weight=self.exit_weight, power=self.power)
        if self.exits < 1 or self.power < 1:
            low = "exits" if self.exits < 1 else "power"
            cure = "Give at least 1."
            what = f"{getattr(self, low)} is impossible"
            raise RecipeError(where=f"method.{low}", what=what, cure=cure)

    def wants(self, student: Network) -> frozenset[str]:
        """The layers with an exit.

        Raises:
            RecipeError: the student has fewer layers than exits.
        """
        found = require_layers(student.feature_names, self.exits, method="ofa")
        return frozenset(spread(found, self.exits))

    def adapters(self, student_dims: Shapes, teacher_dims: Shapes) -> nn.ModuleDict:
        """One exit a layer.

        Raises:
            RecipeError: other classes, or two classes to standardise.
        """
        check_same_classes(student_dims, teacher_dims)
        check_standardise(self.standardise, student_dims)
        classes = student_dims["logits"][0]
        widths = [map_shape(student_dims[name])[0] for name in layers(student_dims.keys())]
        exits = [nn.Sequential(nn.LayerNorm(width), nn.Linear(width, classes)) for width in widths]
        return nn.ModuleDict({"exits": nn.ModuleList(exits)})

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """``hard``, ``soft`` on the scores and ``exits`` on those of all exits."""
        exits = adapters["exits"]
        assert isinstance(exits, nn.ModuleList)
        early = [
            leave(as_map(outputs.features[name]).flatten(2).mean(dim=2))
            for leave, name in zip(exits, layers(outputs.features), strict=True)
        ]
        taught = [self._taught(logits, targets["logits"], batch) for logits in early]
        return {
            "hard": cross_entropy(logits=outputs.logits, labels=batch.labels),
            "soft": self._taught(outputs.logits, targets["logits"], batch),
            "exits": torch.stack(taught).sum(),
        }

    def _taught(self, student: Tensor, teacher: Tensor, batch: Batch) -> Tensor:
        ours, theirs = score_pair(student, teacher, standardise=self.standardise)
        loss = target_enhanced(student=ours, teacher=theirs, labels=batch.labels, power=self.power)
        return self.exit_weight * loss

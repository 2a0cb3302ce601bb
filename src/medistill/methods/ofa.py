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
- ``task`` = multi-label is ours: each label is two classes, yes and no, where the teacher may
  speak. An exit pools its layer and forgets places, so masks are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, get_args

import torch
from torch import Tensor, nn

from medistill.core.errors import RecipeError
from medistill.core.types import Task
from medistill.losses.one_for_all import target_enhanced, target_enhanced_labels
from medistill.methods.answers import check_answers, check_exclusive, label_terms
from medistill.methods.classes import score_pair
from medistill.methods.features import as_map, layers, map_shape, require_layers, spread
from medistill.methods.method import Shapes
from medistill.methods.multi_label import spoken_of
from medistill.methods.ranges import check_choice, check_weights
from medistill.methods.undefined import POOLED, ImageTask, Undefined
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
        standardise: compare standardised logits; needs three or more classes that exclude each
            other.
        task: what the labels are; masks are none of it.

    Raises:
        RecipeError: a value is out of range.
    """

    exits: int = 4
    exit_weight: float = 1.0
    power: float = 1.0
    standardise: bool = False
    task: ImageTask = "single-label"
    needs: ClassVar[frozenset[str]] = frozenset({"logits"})
    undefined: ClassVar[Undefined] = POOLED
    smallest_batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_weights(exit_weight=self.exit_weight, power=self.power)
        check_choice("task", self.task, get_args(ImageTask))
        check_exclusive(self.task, self.standardise)
        if self.exits < 1 or self.power < 1:
            low = "exits" if self.exits < 1 else "power"
            cure = "Give at least 1."
            what = f"{getattr(self, low)} is impossible"
            raise RecipeError(where=f"method.{low}", what=what, cure=cure)

    @property
    def tasks(self) -> frozenset[Task]:
        """The one that the recipe names."""
        return frozenset({self.task})

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
        check_answers(self.task, student_dims, teacher_dims, standardise=self.standardise)
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
        return label_terms(self.task, outputs, batch, outputs.logits) | {
            "soft": self._taught(outputs.logits, targets["logits"], batch),
            "exits": torch.stack(taught).sum(),
        }

    def _taught(self, student: Tensor, teacher: Tensor, batch: Batch) -> Tensor:
        labels, power = batch.labels, self.power
        if self.task == "multi-label":
            known = spoken_of(labels)
            loss = target_enhanced_labels(
                student=student, teacher=teacher, labels=labels, power=power, known=known
            )
        else:
            ours, theirs = score_pair(student, teacher, standardise=self.standardise)
            loss = target_enhanced(student=ours, teacher=theirs, labels=labels, power=power)
        return self.exit_weight * loss

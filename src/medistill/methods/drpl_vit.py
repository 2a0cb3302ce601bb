"""DRPL-ViT: distillation token, relative positions and local convolutions, for radiographs.

Bai, Gu, Yang, Zhang, Li, Lyu, Tang, Zhang, Jia and He, DRPL-ViT, Laser Journal 45(2), 2024, ISSN
0253-2743.

    hard:  L = (1 - a) CE(z_cls, y) + a CE(z_dist, argmax z_t)
    soft:  L = (1 - a) CE(z_cls, y) + a T^2 KL(softmax(z_t / T) || softmax(z_dist / T))

The name says the three modules in order: D(istillation)-R(elative) P(osition)-L(ocal). The first is
this loss; the others are the student's ``relative: k`` and ``local: leff``.

A re-implementation from the published description: its abstract names every module and specifies
none. Unspecified details are filled from DeiT (Touvron et al., ICML 2021), iRPE (Wu et al., ICCV
2021) and CeIT (Yuan et al., ICCV 2021).

Departures from the paper
-------------------------
- ``kind`` = hard, ``soft_weight`` = .5 and ``temperature`` = 1 are DeiT's; the paper's values were
  not found.
- ``per_class`` divides the soft term by the number of classes, as DeiT's code does; ours sums over
  classes, as the formula does.
- Patches alone go through LeFF: class and distillation token pass it by, so that published DeiT
  weights start it but do not keep their function.
- ``standardise`` is an addition: Sun et al., CVPR 2024.
- The teacher is a convolutional network fitted on the same classes; the paper's was not found.
- Relative positions are iRPE's contextual product on keys with 50 buckets, beside absolute ones;
  local convolution is LeFF. Width and depth are DeiT's; schedule and augmentation are our defaults
  after DeiT's, without RandAugment and repeated augmentation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from medistill.core.types import Task
from medistill.methods.deit import DeiT, Kind
from medistill.methods.heads import require_heads
from medistill.methods.method import SINGLE_LABEL, Shapes
from medistill.methods.undefined import ONE_CLASS, Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch


@dataclass(frozen=True, kw_only=True)
class DRPLViT:
    """Distillation through a token, of a ViT with relative positions and local convolutions.

    Attributes:
        kind: ``hard`` (the teacher's decision) or ``soft`` (its probabilities).
        soft_weight: a in [0, 1]; weight of the teacher against the labels.
        temperature: T of the soft kind.
        per_class: divide the soft term by the number of classes.
        standardise: compare standardised logits in the soft kind; needs three or more classes.

    Raises:
        RecipeError: a value is out of range, or an option of the soft kind with the hard one.
    """

    kind: Kind = "hard"
    soft_weight: float = 0.5
    temperature: float = 1.0
    per_class: bool = False
    standardise: bool = False
    needs: ClassVar[frozenset[str]] = frozenset({"logits"})
    tasks: ClassVar[frozenset[Task]] = SINGLE_LABEL
    undefined: ClassVar[Undefined] = ONE_CLASS
    smallest_batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        self._loss()

    def wants(self, student: Network) -> frozenset[str]:
        """Both heads.

        Raises:
            RecipeError: the student has no distillation token.
        """
        return require_heads(student, method="drpl_vit")

    def adapters(self, student_dims: Shapes, teacher_dims: Shapes) -> nn.ModuleDict:
        """None.

        Raises:
            RecipeError: other classes, or two classes to standardise.
        """
        return self._loss().adapters(student_dims, teacher_dims)

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """``head`` from the labels and ``head_dist`` from the teacher, weighted."""
        return self._loss().terms(outputs, targets, batch, adapters)

    def _loss(self) -> DeiT:
        return DeiT(
            kind=self.kind,
            soft_weight=self.soft_weight,
            temperature=self.temperature,
            per_class=self.per_class,
            standardise=self.standardise,
        )

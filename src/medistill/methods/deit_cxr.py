"""DeiT on chest radiographs: DenseNet-169 teaches DeiT-S by its decisions.

"Data-Efficient Training of Pure Vision Transformers for the Task of Chest X-ray Abnormality
Detection Using Knowledge Distillation", EMBC 2022, 1444-1447, doi 10.1109/EMBC48229.2022.9871372;
values from the paper's public code (Quantimb-Lab/DeiT_Covid, MIT).

    hard:           L = (1 - a) CE(z_cls, y) + a CE(z_dist, argmax z_t)
    hard_weighted:  the second term weighted by the class that the teacher decides for
    soft:           L = (1 - a) CE(z_cls, y) + a T^2 KL(softmax(z_t / T) || softmax(z_dist / T))

y is mixed and smoothed; teacher and student see the same mixed image.

Departures from the paper
-------------------------
- ``kind`` = hard, ``soft_weight`` = .5 and ``temperature`` = 1 are the paper's.
- ``class_weights`` of the weighted kind are 1.7, 6.65 and 3.852 in the paper (normal, pneumonia,
  COVID-19): about N / n_c of its training images. They belong to those, so there is no default.
- ``standardise`` is an addition: Sun et al., CVPR 2024.
- The soft term sums over classes; the paper's code inherits DeiT's division by their number.
- The paper trains with ImageNet's mean and deviation and tests with those of its radiographs. The
  recipe uses the same for both; ``student.train_normalisation: imagenet`` brings the mismatch back.
- The recipe's teacher starts from ImageNet's weights; the paper's is a DenseNet-169 in the manner
  of CheXNet, whose weights are not in its repository.
- Images are stretched to a square; the paper tests on the middle of one that keeps its shape. The
  recipe chooses the checkpoint by AUROC on *select*, the paper by accuracy.
- The augmentation has the paper's crop, mirror, RandAugment, mixup, cutmix, erasing and repeated
  augmentation; its colour jitter of .4 is left out, as timm leaves it out beside RandAugment. What
  comes from outside is black, an erased box has one gray value.
- A moving average of the weights remembers a tenth of the training at most (``train.ema``), so that
  the recipe's .99996 is less where steps are few.
- The optional stage on 14 labels before is a run of its own (recipe ``deit-cxr-14-labels``), whose
  weights are given as ``student_weights``. There each image keeps all of its labels, and the mean
  of both heads learns from them and from the teacher's yes and no of each (``multi_label``); the
  paper has one label an image, and the decision among 14 for the distillation token.
- The warm-up of the learning rate starts near zero, the paper's at 1e-6.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from medistill.core.errors import RecipeError
from medistill.core.types import Task
from medistill.losses.hard import hard_decision
from medistill.losses.logits import softened_kl
from medistill.losses.task import cross_entropy
from medistill.methods.classes import check_same_classes, check_standardise, score_pair
from medistill.methods.deit import DECIDED, SOFT_ALONE
from medistill.methods.heads import HEADS, require_heads
from medistill.methods.method import SINGLE_LABEL, Shapes
from medistill.methods.ranges import (
    check_choice,
    check_heeded,
    check_share,
    check_softens,
    check_temperature,
)
from medistill.methods.undefined import ONE_CLASS, Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch

Kind = Literal["hard", "hard_weighted", "soft"]


@dataclass(frozen=True, kw_only=True)
class DeiTCXR:
    """Distillation through a token, with classes weighted on demand.

    Attributes:
        kind: ``hard``, ``hard_weighted`` or ``soft``.
        soft_weight: a in [0, 1]; weight of the teacher against the labels.
        temperature: T of the soft kind.
        class_weights: one number a class, above 0, in the order of the data's classes, for
            ``hard_weighted``; else empty.
        standardise: compare standardised logits in the soft kind; needs three or more classes.

    Raises:
        RecipeError: a value is out of range, or weights of classes without their kind or the other
            way round.
    """

    kind: Kind = "hard"
    soft_weight: float = 0.5
    temperature: float = 1.0
    class_weights: tuple[float, ...] = ()
    standardise: bool = False
    needs: ClassVar[frozenset[str]] = frozenset({"logits"})
    tasks: ClassVar[frozenset[Task]] = SINGLE_LABEL
    undefined: ClassVar[Undefined] = ONE_CLASS
    smallest_batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, get_args(Kind))
        check_share(self.soft_weight, "method.soft_weight")
        check_temperature(self.temperature)
        if (self.kind == "hard_weighted") != bool(self.class_weights):
            raise RecipeError(
                where="method.class_weights",
                what=f"{len(self.class_weights)} weights for the kind '{self.kind}'",
                cure="Give one weight a class with kind: hard_weighted, and none otherwise.",
            )
        if not all(0 < weight < math.inf for weight in self.class_weights):
            raise RecipeError(
                where="method.class_weights",
                what="a weight is no number above 0",
                cure="Give for example the number of images over that of the class.",
            )

    def wants(self, student: Network) -> frozenset[str]:
        """Both heads.

        Raises:
            RecipeError: the student has no distillation token.
        """
        return require_heads(student, method="deit_cxr")

    def adapters(self, student_dims: Shapes, teacher_dims: Shapes) -> nn.ModuleDict:
        """None.

        Raises:
            RecipeError: an option of the soft kind with another, other classes in teacher and
                student, another number of weights, or two classes to standardise.
        """
        if self.kind != "soft":
            check_heeded(DECIDED, SOFT_ALONE, standardise=self.standardise)
            check_softens(
                self.temperature,
                default=type(self).temperature,
                because=DECIDED,
                otherwise="set method.kind=soft",
            )
        check_same_classes(student_dims, teacher_dims)
        check_standardise(self.standardise, student_dims)
        classes = student_dims["logits"][0]
        if self.class_weights and len(self.class_weights) != classes:
            raise RecipeError(
                where="method.class_weights",
                what=f"{len(self.class_weights)} weights for {classes} classes",
                cure="Give one weight a class, in the order of the classes.",
            )
        return nn.ModuleDict()

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """``head`` from the labels and ``head_dist`` from the teacher, weighted."""
        head, head_dist = (outputs.features[name] for name in HEADS)
        hard = cross_entropy(logits=head, labels=batch.labels)
        taught = self._taught(head_dist, targets["logits"])
        return {"head": (1 - self.soft_weight) * hard, "head_dist": self.soft_weight * taught}

    def _taught(self, student: Tensor, teacher: Tensor) -> Tensor:
        if self.kind == "soft":
            ours, theirs = score_pair(student, teacher, standardise=self.standardise)
            return softened_kl(student=ours, teacher=theirs, temperature=self.temperature)
        weights = torch.tensor(self.class_weights) if self.class_weights else None
        return hard_decision(student=student, teacher=teacher, class_weights=weights)

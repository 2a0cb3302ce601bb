"""RMS-Net: MobileViT with residual shrinkage, taught by attention maps and similarities.

Lai, Li, Nie, Bai and Zhao, RMS-Net, Journal of Optoelectronics Laser 35(9), 993-1000, 2024, doi
10.16136/j.joel.2024.09.0056: 14 labels of ChestX-ray14, 0.96 M parameters, 0.27 G multiply-adds.

    L = focal(z_s, y) + b sum over three levels of AT + c B / 32 SP  (+ a Hinton's term a label)

AT is attention transfer (Zagoruyko and Komodakis, ICLR 2017) between maps of the same level, SP
similarity preservation (Tung and Mori, ICCV 2019) of the last maps, B the batch.

A re-implementation from the published description: its abstract names MobileViT, an optimised
residual shrinkage module, multi-level attention maps, similarity activation matrices and the focal
loss; the base network follows from its parameters and multiply-adds.

Departures from the paper
-------------------------
- ``attention_weight`` (b) = 170 and ``similarity_weight`` (c) = 210 are our defaults: they make the
  terms as large as the focal loss at the first step. The cited works have 1000 and 3000, which
  drown it; the paper's own were not found. SP falls as 1 / B, hence B / 32, and so 3000 there is
  3000 * 32 / B here.
- ``focus`` = 2 and ``positive`` = .25 are Lin's (ICCV 2017); sum over labels, mean over images.
- ``levels`` are the outputs of the third, fourth and fifth stage of both networks, in timm's names.
  A teacher that counts its stages from another one has ``teacher_levels`` besides.
- The teacher, and where the shrinkage sits, were not found: it sits in the branch of each MobileViT
  block, behind the projection, with a gate of reduction 4 (6,736 parameters: 962,254 in all).
- Optimiser, schedule, augmentation and split were not found; the recipe's are our defaults.
- ``soft_weight`` (a) = 0 and ``temperature``: the abstract names no distillation of scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from medistill.core.errors import RecipeError
from medistill.core.types import Task
from medistill.losses.attention import attention_transfer
from medistill.losses.labels import binary_kl, focal
from medistill.losses.similarity import similarity_preserving
from medistill.methods.classes import check_same_classes
from medistill.methods.features import is_placed
from medistill.methods.method import MULTI_LABEL, Shapes
from medistill.methods.multi_label import spoken_of
from medistill.methods.ranges import check_focus, check_softens, check_temperature, check_weights
from medistill.methods.undefined import EACH_LABEL, Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch

_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class RMSNet:
    """Attention maps and similarities of the teacher, focal loss on the labels.

    Attributes:
        attention_weight: b, of the attention maps.
        similarity_weight: c, of the similarities, for a batch of 32.
        levels: maps of the student whose attention is compared; similarities are of the last.
        teacher_levels: the teacher's maps that they are held against; empty for the same names.
            Both of a pair are as many times smaller than their image.
        focus: gamma of the focal loss.
        positive: alpha of the focal loss, weight of a yes; null weighs both by 1.
        soft_weight: a, of the teacher's softened yes and no; 0 leaves it out.
        temperature: T of that term.

    Raises:
        RecipeError: a value is out of range.
    """

    attention_weight: float = 170.0
    similarity_weight: float = 210.0
    levels: tuple[str, ...] = ("stage2", "stage3", "stage4")
    teacher_levels: tuple[str, ...] = ()
    focus: float = 2.0
    positive: float | None = 0.25
    soft_weight: float = 0.0
    temperature: float = 2.0
    tasks: ClassVar[frozenset[Task]] = MULTI_LABEL
    undefined: ClassVar[Undefined] = EACH_LABEL
    smallest_batch: ClassVar[int] = 2

    def __post_init__(self) -> None:
        weights = {name: getattr(self, f"{name}_weight") for name in ("attention", "similarity")}
        check_weights(soft_weight=self.soft_weight, **weights)
        check_temperature(self.temperature)
        check_focus(self.focus, self.positive)
        if not self.levels:
            cure = "Name at least one, for example stage4."
            raise RecipeError(where="method.levels", what="there is none", cure=cure)
        if self.teacher_levels and len(self.teacher_levels) != len(self.levels):
            what = f"{len(self.teacher_levels)} maps of the teacher for {len(self.levels)} levels"
            cure = "Name one a level, or none where the names are the same."
            raise RecipeError(where="method.teacher_levels", what=what, cure=cure)

    @property
    def needs(self) -> frozenset[str]:
        """The named maps, and the logits for Hinton's term."""
        return frozenset({*self._theirs, *({"logits"} if self.soft_weight else set())})

    @property
    def _theirs(self) -> tuple[str, ...]:
        return self.teacher_levels or self.levels

    def wants(self, student: Network) -> frozenset[str]:
        """The named maps.

        Raises:
            RecipeError: the student has no such maps.
        """
        for name in self.levels:
            if name not in student.feature_names:
                raise RecipeError(
                    where="student",
                    what=f"it has no '{name}', whose attention rms_net compares",
                    cure="Use mobilevit_xxs with shrinkage: r4, or name its maps in method.levels.",
                )
        return frozenset(self.levels)

    def adapters(self, student_dims: Shapes, teacher_dims: Shapes) -> nn.ModuleDict:
        """None.

        Raises:
            RecipeError: a named feature is no map, maps of other levels, or other labels.
        """
        sides = {"student": (self.levels, student_dims), "teacher": (self._theirs, teacher_dims)}
        for owner, (names, dims) in sides.items():
            _check_maps(owner, names, dims)
        _check_levels(*sides.values())
        if self.soft_weight:
            check_same_classes(student_dims, teacher_dims)
        else:
            without = "without Hinton's term"
            check_softens(
                self.temperature,
                default=type(self).temperature,
                because=without,
                otherwise="give method.soft_weight",
            )
        return nn.ModuleDict()

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """``focal``, ``attention``, ``similarity``, and ``soft`` where it has a weight."""
        names = zip(self.levels, self._theirs, strict=True)
        pairs = [(outputs.features[ours], targets[theirs]) for ours, theirs in names]
        maps = [attention_transfer(student=ours, teacher=theirs) for ours, theirs in pairs]
        alike = similarity_preserving(student=pairs[-1][0], teacher=pairs[-1][1])
        terms = {
            "focal": focal(
                logits=outputs.logits,
                labels=batch.labels,
                focus=self.focus,
                positive=self.positive,
            ),
            "attention": self.attention_weight * torch.stack(maps).sum(),
            "similarity": self.similarity_weight * len(batch) / _BATCH * alike,
        }
        if self.soft_weight:
            terms["soft"] = self.soft_weight * binary_kl(
                student=outputs.logits,
                teacher=targets["logits"],
                temperature=self.temperature,
                known=spoken_of(batch.labels),
            )
        return terms


def _check_maps(owner: str, names: Iterable[str], dims: Shapes) -> None:
    for name in names:
        if len(dims[name]) != 3 or not is_placed(name, dims[name]):
            raise RecipeError(
                where="method.levels",
                what=f"the {owner}'s '{name}' is no map",
                cure="Name stages that have height and width.",
            )


def _check_levels(*sides: tuple[tuple[str, ...], Shapes]) -> None:
    """Refuse pairs of maps that are not as many times smaller than their images."""
    (ours, student), (theirs, teacher) = sides
    if "image" not in student or "image" not in teacher:
        return
    for mine, their in zip(ours, theirs, strict=True):
        halvings = _halvings(student, mine), _halvings(teacher, their)
        if halvings[0] != halvings[1]:
            times = [2**number for number in halvings]
            raise RecipeError(
                where="method.teacher_levels",
                what=f"the student's '{mine}' is {times[0]} times smaller than its image, the "
                f"teacher's '{their}' {times[1]} times",
                cure="Pair maps of one level in method.levels and method.teacher_levels.",
            )


def _halvings(dims: Shapes, name: str) -> int:
    """How often the image was halved, where each halving rounds up."""
    side, count = dims["image"][-1], 0
    while side > dims[name][-1]:
        side, count = math.ceil(side / 2), count + 1
    return count

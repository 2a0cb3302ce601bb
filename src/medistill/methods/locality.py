"""Locality guidance: feature maps of a convolutional network guide layers of a ViT.

Li, Yin, Peng, Li, Wang and others, "Locality Guidance for Improving Vision Transformers on Tiny
Datasets", ECCV 2022.

    L = CE(z_s, y) + w sum over pairs of mean (R P f_s - f_t)^2

The student's first, middle and last layer are projected (P, 1 x 1) and resized (R) to three of the
teacher's maps, from fine to coarse. Made for a ViT that sees few images.

With ``normalise`` f_t is layer-normed over its channels at each place, without learned scale, so
that one weight suits teachers of any scale (as Miles et al., CVPR 2024, do with embeddings).

Departures from the paper
-------------------------
- ``teacher_stages`` are timm's names of the last three stages of five; the paper's teacher is a
  ResNet-56 at low resolution with three.
- ``guide_weight`` = 2.5 is the paper's; the squared difference is a mean over everything.
- The student's map is brought to the teacher's resolution, whichever is finer: averaged down or
  interpolated up, where the paper interpolates both ways.
- ``soft_weight`` and ``temperature`` add Hinton's term; 0 as in the paper.
- ``standardise`` is an addition: Sun et al., CVPR 2024.
- ``normalise`` and ``student_layers`` are ours; by default both are as in the paper.
- ``task`` is ours: with several labels an image CE and Hinton's term are taken label by label, with
  masks pixel by pixel, and Dice beside them. The maps are guided as ever; those of segmentation
  networks are called ``level0`` to ``level3``. The teacher speaks of unlabelled pixels too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, get_args

import torch
from torch import Tensor, nn

from medistill.core.errors import RecipeError
from medistill.core.types import Task
from medistill.losses.maps import map_match
from medistill.methods.answers import (
    check_answers,
    check_exclusive,
    label_terms,
    require_scores,
    scores_of,
    softened,
)
from medistill.methods.features import (
    as_map,
    layers,
    map_shape,
    normalised_map,
    require_layers,
    require_maps,
)
from medistill.methods.method import Shapes
from medistill.methods.ranges import (
    check_choice,
    check_heeded,
    check_softens,
    check_temperature,
    check_weights,
)
from medistill.methods.undefined import OTHER_TASK, Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch


@dataclass(frozen=True, kw_only=True)
class Locality:
    """Guidance by a convolutional network's maps.

    Attributes:
        teacher_stages: the teacher's maps, from fine to coarse.
        student_layers: the student's layers that they guide, counted from 0; null takes the
            first, the middle and the last (of one stage the last).
        guide_weight: w.
        normalise: layer-norm the teacher's maps over their channels.
        soft_weight: weight of Hinton's term; 0 leaves it out.
        temperature: T of Hinton's term.
        standardise: compare standardised logits in it; needs three or more classes that exclude
            each other.
        task: what the labels are.

    Raises:
        RecipeError: a value is out of range.
    """

    teacher_stages: tuple[str, ...] = ("stage2", "stage3", "stage4")
    student_layers: tuple[int, ...] | None = None
    guide_weight: float = 2.5
    normalise: bool = False
    soft_weight: float = 0.0
    temperature: float = 2.0
    standardise: bool = False
    task: Task = "single-label"
    undefined: ClassVar[Undefined] = OTHER_TASK
    smallest_batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_weights(guide_weight=self.guide_weight, soft_weight=self.soft_weight)
        check_temperature(self.temperature)
        check_choice("task", self.task, get_args(Task))
        check_exclusive(self.task, self.standardise)
        if not self.teacher_stages:
            raise RecipeError(
                where="method.teacher_stages", what="no stage guides", cure="Name at least one."
            )
        chosen = self.student_layers
        if chosen is not None and len(set(chosen)) != len(self.teacher_stages):
            raise RecipeError(
                where="method.student_layers",
                what=f"{len(set(chosen))} layers for {len(self.teacher_stages)} stages",
                cure="Name one layer for each stage, in the same order.",
            )
        if chosen is not None and list(chosen) != sorted(chosen):
            raise RecipeError(
                where="method.student_layers",
                what=f"{list(chosen)} does not ascend",
                cure="Name layers from the first to the last, and teacher_stages in that order.",
            )

    @property
    def needs(self) -> frozenset[str]:
        """The named stages, and the scores for Hinton's term."""
        scores = {scores_of(self.task)} if self.soft_weight else set()
        return frozenset({*self.teacher_stages, *scores})

    @property
    def tasks(self) -> frozenset[Task]:
        """The one that the recipe names."""
        return frozenset({self.task})

    def wants(self, student: Network) -> frozenset[str]:
        """As many layers as there are stages, from the first to the last.

        Raises:
            RecipeError: the student has too few, they are not counted from 0, or it makes no masks
                where they are asked for.
        """
        if min(self.student_layers or (0,)) < 0:
            raise RecipeError(
                where="method.student_layers",
                what=f"{list(self.student_layers or ())} counts from the last",
                cure="Count from 0, the first.",
            )
        scores = require_scores(self.task, student.feature_names)
        count = max(len(self.teacher_stages), 1 + max(self.student_layers or (0,)))
        found = require_layers(student.feature_names, count, method="locality guidance")
        chosen = self.student_layers or self._even(len(found))
        return scores | {found[layer] for layer in chosen}

    def _even(self, depth: int) -> list[int]:
        """First, middle and last layer; evenly more or fewer for more or fewer stages."""
        last, gaps = depth - 1, len(self.teacher_stages) - 1
        if not gaps:
            return [last]
        return [min(last, round(last * (i + 0.01) / gaps)) for i in range(gaps + 1)]

    def _goal(self, target: Tensor) -> Tensor:
        return normalised_map(target) if self.normalise else as_map(target)

    def adapters(self, student_dims: Shapes, teacher_dims: Shapes) -> nn.ModuleDict:
        """A 1 x 1 convolution a stage, from the student's width to the teacher's channels.

        Raises:
            RecipeError: a named feature has no positions, other classes, two to standardise, or no
                term to do it in.
        """
        if not self.soft_weight:
            because, cure = "without Hinton's term", "Leave it out, or give method.soft_weight."
            check_heeded(because, cure, standardise=self.standardise)
            check_softens(
                self.temperature,
                default=type(self).temperature,
                because=because,
                otherwise="give method.soft_weight",
            )
        require_maps(teacher_dims, self.teacher_stages, key="method.teacher_stages")
        if self.soft_weight:
            check_answers(self.task, student_dims, teacher_dims, standardise=self.standardise)
        pairs = zip(layers(student_dims.keys()), self.teacher_stages, strict=True)
        return nn.ModuleDict(
            {
                stage: nn.Conv2d(map_shape(student_dims[mine])[0], map_shape(shape)[0], 1)
                for mine, stage in pairs
                for shape in [teacher_dims[stage]]
            }
        )

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """``hard``, or those of masks, ``guide``, and ``soft`` where it has a weight."""
        matches = [
            map_match(
                student=adapters[stage](as_map(outputs.features[mine])),
                teacher=self._goal(targets[stage]),
            )
            for mine, stage in zip(layers(outputs.features), self.teacher_stages, strict=True)
        ]
        terms = label_terms(self.task, outputs, batch, outputs.logits)
        terms["guide"] = self.guide_weight * torch.stack(matches).sum()
        if self.soft_weight:
            name = scores_of(self.task)
            terms["soft"] = self.soft_weight * softened(
                self.task,
                student=outputs.features.get(name, outputs.logits),
                teacher=targets[name],
                batch=batch,
                temperature=self.temperature,
                standardise=self.standardise,
            )
        return terms

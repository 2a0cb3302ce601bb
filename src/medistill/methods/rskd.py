"""RSKD: ranks of tokens, textures and fused stages of a segmentation teacher.

"Rank-sensitive multi-layer knowledge distillation" for segmentation with ViTs, Knowledge-Based
Systems, 2024.

    L = CE + Dice + p T^2 KL(pixels) + r ranks + t textures + f fused stages

Ranks: ListMLE (Xia et al., ICML 2008) of the teacher's most important tokens; textures: contourlet
bands of the first stage (Ji et al., CVPR 2022); fused stages: space-channel cascade fusion (SCConv,
CVPR 2023, in the cascade of Knowledge Review, CVPR 2021).

A re-implementation from the published description: its abstract names the three parts and specifies
none. Unspecified details are filled from the works above.

Departures from the paper
-------------------------
- Encoders and data of the paper were not found: PVTv2-B2 and B0 with an all-MLP head are ours. So
  are the task's loss and the pixels' term: the abstract names the three parts alone.
- ``pixel_weight`` (p) = 1, ``rank_weight`` (r) = .05, ``texture_weight`` (t) = .1 and
  ``fusion_weight`` (f) = .1 are our defaults: each term about a tenth of the task's loss, or less,
  at the first step of the small recipe (``benchmarks/terms.py``). The paper's were not found.
- ``ranking`` = list_mle, ``top_share`` = .25 and ``rank_levels`` = 2, 3 are our defaults; pairwise
  hinge and LambdaLoss are offered. Scores are standardised over the tokens, else a student could
  please ListMLE by looking at one token.
- The importance of a token is the attention that it receives; PVTv2 has no class token.
- ``directions`` = 3, 2: eight directions of the fine scale and four of the next, as windows in the
  frequency domain without subsampling; ``ladder`` takes the published filters, which are slower
  and do not shift with their image. ``relative`` compares each band to the teacher's energy in it;
  false is the plain form of the cited work, which is blind to direction.
- ``standardise``, of the pixels' scores, is an addition: Sun et al., CVPR 2024.
- ``fusion_width`` = 64 and ``temperature`` = 1 are our defaults; pixels are compared at a quarter
  of the resolution, before interpolation. ``dice_weight`` = 1.
- The teacher speaks of every pixel, of those that nobody labelled (255) too.
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
from medistill.losses.contourlet import contourlet_match
from medistill.losses.ladder import fits_ladder
from medistill.losses.maps import resized
from medistill.losses.masks import pixel_kl
from medistill.losses.pyramid import pyramid_match
from medistill.losses.ranking import lambda_rank, list_mle, pairwise_hinge
from medistill.methods.classes import check_same_classes, check_standardise, score_pair
from medistill.methods.fusion import CascadeFusion, fits, pairs_differ
from medistill.methods.method import SEGMENTATION, Shapes
from medistill.methods.ranges import (
    check_choice,
    check_heeded,
    check_softens,
    check_temperature,
    check_weights,
)
from medistill.methods.supervised_masks import SupervisedMasks
from medistill.methods.undefined import EACH_PIXEL, Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch

Ranking = Literal["list_mle", "pairwise_hinge", "lambda_rank"]
_RANKINGS = {"list_mle": list_mle, "pairwise_hinge": pairwise_hinge, "lambda_rank": lambda_rank}
_LEVELS = ("level0", "level1", "level2", "level3")


@dataclass(frozen=True, kw_only=True)
class RSKD:
    """Rank-sensitive distillation of a segmentation network.

    Attributes:
        pixel_weight: p, of the softened class scores of pixels.
        rank_weight: r, of the ranking; 0 leaves it out, for networks without attention.
        texture_weight: t, of the contourlet bands; 0 leaves it out.
        fusion_weight: f, of the fused stages; 0 leaves it out.
        dice_weight: of Dice beside the cross-entropy.
        temperature: T of the pixels.
        standardise: compare standardised scores of pixels; needs three or more classes.
        ranking: ``list_mle``, ``pairwise_hinge`` or ``lambda_rank``.
        rank_levels: levels whose tokens are ranked.
        top_share: share of the tokens that counts as most important, in (0, 1].
        directions: for each scale how often the half circle is halved.
        ladder: the contourlet transform's published filters in place of windows.
        relative: compare each band to the teacher's energy in it.
        fusion_width: channels of the fusion, a multiple of 4.

    Raises:
        RecipeError: a value is out of range.
    """

    pixel_weight: float = 1.0
    rank_weight: float = 0.05
    texture_weight: float = 0.1
    fusion_weight: float = 0.1
    dice_weight: float = 1.0
    temperature: float = 1.0
    standardise: bool = False
    ranking: Ranking = "list_mle"
    rank_levels: tuple[int, ...] = (2, 3)
    top_share: float = 0.25
    directions: tuple[int, ...] = (3, 2)
    ladder: bool = False
    relative: bool = True
    fusion_width: int = 64
    tasks: ClassVar[frozenset[Task]] = SEGMENTATION
    undefined: ClassVar[Undefined] = EACH_PIXEL
    smallest_batch: ClassVar[int] = 2

    def __post_init__(self) -> None:
        names = ("pixel", "rank", "texture", "fusion", "dice")
        check_weights(**{f"{name}_weight": getattr(self, f"{name}_weight") for name in names})
        check_temperature(self.temperature)
        check_choice("ranking", self.ranking, get_args(Ranking))
        for field, right, rule in (
            ("top_share", 0 < self.top_share <= 1, "a share above 0 and at most 1"),
            ("rank_levels", set(self.rank_levels) <= {0, 1, 2, 3}, "levels out of 0, 1, 2, 3"),
            ("rank_levels", bool(self.rank_levels) or not self.rank_weight, "at least one level"),
            ("directions", all(0 < n <= 5 for n in self.directions), "numbers from 1 to 5"),
            ("directions", bool(self.directions), "at least one scale"),
            ("fusion_width", fits(self.fusion_width), "a multiple of 4"),
        ):
            if not right:
                what = f"{getattr(self, field)!r} is impossible"
                raise RecipeError(where=f"method.{field}", what=what, cure=f"Give {rule}.")

    @property
    def needs(self) -> frozenset[str]:
        """What the terms with a weight compare."""
        names = {"coarse"} if self.pixel_weight else set()
        if self.rank_weight:
            names |= {f"importance{level}" for level in self.rank_levels}
        if self.texture_weight:
            names.add(_LEVELS[0])
        return frozenset(names | (set(_LEVELS) if self.fusion_weight else set()))

    def wants(self, student: Network) -> frozenset[str]:
        """The same of the student.

        Raises:
            RecipeError: the student is no segmentation network, or shows no importance.
        """
        for name in sorted(self.needs - student.feature_names):
            rank = name.startswith("importance")
            raise RecipeError(
                where="method.rank_weight" if rank else "student.decoder",
                what=f"the student has no '{name}'",
                cure="Set method.rank_weight=0; only PVTv2 encoders show which tokens matter."
                if rank
                else "Set student.decoder=mlp with a pyramid such as pvt_v2_b0.",
            )
        return self.needs

    def adapters(self, student_dims: Shapes, teacher_dims: Shapes) -> nn.ModuleDict:
        """The projection of the first stage and the cascade of all.

        Raises:
            RecipeError: other classes, two to standardise, other sizes of the stages, or too few
                tokens or pixels.
        """
        if self.pixel_weight:
            ours, theirs = ({"logits": dims["coarse"]} for dims in (student_dims, teacher_dims))
            check_same_classes(ours, theirs)
            check_standardise(self.standardise, ours)
        else:
            without, cure = "without the pixels' term", "give method.pixel_weight"
            check_heeded(without, f"Leave it out, or {cure}.", standardise=self.standardise)
            check_softens(
                self.temperature, default=type(self).temperature, because=without, otherwise=cure
            )
        self._check_sizes(student_dims, teacher_dims)
        made = nn.ModuleDict()
        if self.texture_weight:
            first = student_dims[_LEVELS[0]][0], teacher_dims[_LEVELS[0]][0]
            made["texture"] = nn.Conv2d(*first, 1)
        if self.fusion_weight:
            channels = [
                [dims[name][0] for name in _LEVELS] for dims in (student_dims, teacher_dims)
            ]
            made["fusion"] = CascadeFusion(*channels, width=self.fusion_width)
        return made

    def _check_sizes(self, student_dims: Shapes, teacher_dims: Shapes) -> None:
        names = [name for name in _LEVELS if name in teacher_dims]
        ours, theirs = ([dims[name] for name in names] for dims in (student_dims, teacher_dims))
        if pairs_differ(ours, theirs) is not None:
            raise RecipeError(
                where="teacher.model.image_size",
                what="the stages of teacher and student have other sizes",
                cure="Give both the same image_size.",
            )
        if self.texture_weight and min(theirs[0][-2:]) < 2 ** (len(self.directions) + 1):
            raise RecipeError(
                where="method.directions",
                what=f"{len(self.directions)} scales do not fit into {theirs[0][-1]} pixels",
                cure="Name fewer scales, or raise image_size.",
            )
        height, width = theirs[0][-2:] if theirs else (0, 0)
        ladder = self.texture_weight and self.ladder
        if ladder and not fits_ladder(height, width, self.directions):
            raise RecipeError(
                where="method.directions",
                what=f"the ladder cannot halve {width} pixels as {self.directions} ask",
                cure="Name 1 to 3 for each scale and a larger image_size, or set ladder=false.",
            )
        for level in self.rank_levels if self.rank_weight else ():
            grids = [math.prod(dims[f"importance{level}"]) for dims in (student_dims, teacher_dims)]
            if min(grids) < 4:
                raise RecipeError(
                    where="method.rank_levels",
                    what=f"level {level} has {min(grids)} tokens to rank",
                    cure="Name finer levels, or raise image_size.",
                )

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """``pixels`` and ``dice`` of the masks, then the teacher's terms that have a weight."""
        ours = outputs.features
        terms = SupervisedMasks(dice_weight=self.dice_weight).terms(outputs, {}, batch, adapters)
        if self.pixel_weight:
            pair = [each.movedim(1, -1) for each in (ours["coarse"], targets["coarse"])]
            mine, their = score_pair(*pair, standardise=self.standardise)
            loss = pixel_kl(
                student=mine.movedim(-1, 1),
                teacher=their.movedim(-1, 1),
                temperature=self.temperature,
            )
            terms["soft"] = self.pixel_weight * loss
        if self.rank_weight:
            ranks = [self._ranks(ours, targets, level) for level in self.rank_levels]
            terms["ranks"] = self.rank_weight * torch.stack(ranks).mean()
        if self.texture_weight:
            projected = adapters["texture"](ours[_LEVELS[0]])
            loss = contourlet_match(
                student=projected,
                teacher=targets[_LEVELS[0]],
                directions=self.directions,
                relative=self.relative,
                ladder=self.ladder,
            )
            terms["textures"] = self.texture_weight * loss
        if self.fusion_weight:
            fused = adapters["fusion"]([ours[name] for name in _LEVELS])
            each = [
                pyramid_match(student=mine, teacher=targets[name])
                for mine, name in zip(fused, _LEVELS, strict=True)
            ]
            terms["stages"] = self.fusion_weight * torch.stack(each).sum()
        return terms

    def _ranks(
        self, ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor], level: int
    ) -> Tensor:
        """Ranking loss of a level, on the coarser of both grids of keys."""
        name = f"importance{level}"
        height, width = map(min, ours[name].shape[-2:], theirs[name].shape[-2:])
        mine, their = (
            resized(each.float().exp(), (height, width)).clamp(min=1e-12).log().flatten(1)
            for each in (ours[name], theirs[name])
        )
        top = math.ceil(self.top_share * mine.shape[1])
        return _RANKINGS[self.ranking](student=mine, teacher=their, top=top)

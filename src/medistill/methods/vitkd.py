"""ViTKD: a ViT mimics the first layers of a larger ViT and generates its last.

Yang, Li, Zeng, Li, Yuan and Li, "ViTKD: Practical Guidelines for ViT Feature Knowledge
Distillation", 2022 (arXiv 2209.02432), with NKD (ICCV 2023) on the scores.

    L = CE(z_s, y) + a sum over first layers of |P f_s - f_t|^2
      + (b / share) |m (G(P f_s with the masked tokens replaced) - f_t)|^2 + NKD

P are learned linear maps, m marks the masked patches, G is two convolutions of 3 x 3 with ReLU
between; squared distances are sums over an image's patches. Teacher and student need the same grid.

Departures from the paper
-------------------------
- ``mimic_weight`` (a) = 3e-5, ``generate_weight`` (b) = 3e-6 and ``mask_share`` = .5 are the
  paper's for 224 pixels and 196 patches.
- Which patches are masked depends on the image and its view alone, not on a global generator.
- Only patches are compared; class and distillation tokens are left out.
- ``standardise`` is an addition, in NKD's term: Sun et al., CVPR 2024.
- ``normalised`` = true adds NKD's terms with its default weights, as in the paper's best runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from medistill.core.errors import RecipeError
from medistill.core.types import Task
from medistill.data.views import uniforms
from medistill.losses.maps import token_match
from medistill.losses.task import cross_entropy
from medistill.methods.features import as_map, map_shape, require_layers, require_maps
from medistill.methods.method import SINGLE_LABEL, Shapes
from medistill.methods.nkd import NKD
from medistill.methods.ranges import check_heeded, check_share, check_weights
from medistill.methods.undefined import ONE_CLASS, Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch


@dataclass(frozen=True, kw_only=True)
class ViTKD:
    """Mimicry of first layers, generation of the last.

    Attributes:
        shallow: the teacher's layers that the student's first ones mimic, in order.
        last: the teacher's layer that is generated from the student's last.
        mimic_weight: a.
        generate_weight: b.
        mask_share: share of the patches that are hidden, in (0, 1].
        normalised: add NKD's terms on the scores.
        standardise: compare standardised logits in them; needs three or more classes.

    Raises:
        RecipeError: a value is out of range.
    """

    shallow: tuple[str, ...] = ("tokens.0", "tokens.1")
    last: str = "tokens.11"
    mimic_weight: float = 3e-5
    generate_weight: float = 3e-6
    mask_share: float = 0.5
    normalised: bool = True
    standardise: bool = False
    tasks: ClassVar[frozenset[Task]] = SINGLE_LABEL
    undefined: ClassVar[Undefined] = ONE_CLASS
    smallest_batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_weights(mimic_weight=self.mimic_weight, generate_weight=self.generate_weight)
        check_share(self.mask_share, "method.mask_share")
        if not self.mask_share:
            cure = "Give a share above 0, usually 0.5."
            what = "nothing would be hidden"
            raise RecipeError(where="method.mask_share", what=what, cure=cure)

    @property
    def needs(self) -> frozenset[str]:
        """The teacher's named layers, and its logits for NKD."""
        logits = {"logits"} if self.normalised else set()
        return frozenset({*self.shallow, self.last, *logits})

    def wants(self, student: Network) -> frozenset[str]:
        """As many first layers as the teacher's named ones, and the last.

        Raises:
            RecipeError: the student has too few.
        """
        count = len(self.shallow) + 1
        found = require_layers(student.feature_names, count, method="vitkd")
        return frozenset({*found[: len(self.shallow)], found[-1]})

    def inert(self, classes: int) -> dict[str, str]:
        """NKD's term that cannot teach two classes."""
        return NKD().inert(classes) if self.normalised else {}

    def adapters(self, student_dims: Shapes, teacher_dims: Shapes) -> nn.ModuleDict:
        """Linear maps for the first layers, and the generator of the last.

        Raises:
            RecipeError: another grid of patches, other classes, two to standardise, or no term to
                do it in.
        """
        if not self.normalised:
            because, cure = "without NKD's term", "Leave it out, or set method.normalised=true."
            check_heeded(because, cure, standardise=self.standardise)
        theirs = (*self.shallow, self.last)
        require_maps(teacher_dims, theirs, key="method.shallow")
        ours = self._layers({name: shape for name, shape in student_dims.items()})
        pairs = [
            (map_shape(student_dims[mine]), map_shape(teacher_dims[their]))
            for mine, their in zip(ours, theirs, strict=True)
        ]
        for mine, their in pairs:
            _check_grid(mine, their)
        if self.normalised:
            NKD(standardise=self.standardise).adapters(student_dims, teacher_dims)
        mimics = [nn.Linear(mine[0], their[0]) for mine, their in pairs[:-1]]
        generator = Generator(pairs[-1][0][0], pairs[-1][1][0])
        return nn.ModuleDict({"mimic": nn.ModuleList(mimics), "generator": generator})

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """``mimic``, ``generate``, and ``hard`` or NKD's terms."""
        layers = self._layers(outputs.features)
        ours = [_patches(outputs.features[name]) for name in layers]
        theirs = [_patches(targets[name]) for name in (*self.shallow, self.last)]
        mimic = adapters["mimic"]
        assert isinstance(mimic, nn.ModuleList)
        matches = [
            token_match(student=project(mine), teacher=their)
            for project, mine, their in zip(mimic, ours[:-1], theirs[:-1], strict=True)
        ]
        hidden = draw_masks(batch, ours[-1].shape[1], self.mask_share).to(ours[-1].device)
        made = adapters["generator"](ours[-1], hidden)
        generated = token_match(student=made, teacher=theirs[-1], mask=hidden)
        terms = {
            "mimic": self.mimic_weight * torch.stack(matches).sum(),
            "generate": self.generate_weight / self.mask_share * generated,
        }
        if self.normalised:
            scores = NKD(standardise=self.standardise)
            return terms | scores.terms(outputs, targets, batch, adapters)
        return terms | {"hard": cross_entropy(logits=outputs.logits, labels=batch.labels)}

    def _layers(self, named: Mapping[str, object]) -> tuple[str, ...]:
        return require_layers(named.keys(), len(self.shallow) + 1, method="vitkd")


class Generator(nn.Module):
    """Makes the teacher's last layer from the student's, of which part is hidden.

    Args:
        width: of the student's tokens.
        wider: of the teacher's.
    """

    def __init__(self, width: int, wider: int) -> None:
        super().__init__()
        self.align = nn.Linear(width, wider)
        self.hidden = nn.Parameter(torch.zeros(1, 1, wider))
        nn.init.trunc_normal_(self.hidden, std=0.02)
        self.first = nn.Conv2d(wider, wider, 3, padding=1)
        self.second = nn.Conv2d(wider, wider, 3, padding=1)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Map (B, N, D) patches and a (B, N) mask, 1 where hidden, to (B, N, E)."""
        shown = torch.where(mask[..., None] > 0, self.hidden, self.align(tokens))
        made = self.second(functional.relu(self.first(as_map(shown))))
        flat: Tensor = made.flatten(2).transpose(1, 2)
        return flat


def draw_masks(batch: Batch, patches: int, share: float) -> Tensor:
    """(B, N) float32 with 1 for hidden patches; the same for the same view of the same image.

    Of every image as many are hidden, at least one.
    """
    rows = []
    for content, view in zip(batch.hashes, batch.view.tolist(), strict=True):
        text = f"mask/{content}/{view}".encode()
        key = int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little")
        ranks = np.argsort(np.argsort(uniforms(key, patches)))
        rows.append(ranks < patches - int(patches * (1 - share)))
    return torch.from_numpy(np.stack(rows)).float()


def _patches(tokens: Tensor) -> Tensor:
    """(B, N, D) of the patches alone."""
    return as_map(tokens).flatten(2).transpose(1, 2)


def _check_grid(mine: tuple[int, int, int], their: tuple[int, int, int]) -> None:
    if mine[1:] != their[1:]:
        raise RecipeError(
            where="teacher",
            what=f"it has {their[1]} x {their[2]} patches, the student {mine[1]} x {mine[2]}",
            cure="Give both the same image_size / patch_size.",
        )

"""VkD: the pooled student, projected orthogonally, regresses the teacher's normalised features.

Miles, Elezi and Deng, "VkD: Improving Knowledge Distillation using Orthogonal Projections", CVPR
2024.

    L = CE(z_s, y) + w smooth_L1(Q f_s, LN(f_t)) + v T^2 KL(softmax(z_t / T) || softmax(z_d / T))

f are pooled features, Q a linear map without bias whose matrix is kept orthogonal, LN the
layer-norm without learned scale; z_d are the distillation token's logits, or the only ones where
there is no such token.

Departures from the paper
-------------------------
- ``feature_weight`` (w) = 1, ``score_weight`` (v) = 1 and ``temperature`` = 1 are our defaults.
- f of a ViT is its class token after the last norm, or the mean of both tokens where there is a
  distillation token; the paper pools all tokens.
- A student wider than its teacher gets a matrix with orthonormal rows instead of columns.
- ``standardise`` is an addition: Sun et al., CVPR 2024.
- Unlabelled images count in both terms of the teacher.
- ``task`` = multi-label is ours: CE and the divergence label by label, where the teacher may speak.
  The pooled features of a segmentation network forget places, so masks are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, get_args

from torch import Tensor, nn
from torch.nn.utils.parametrizations import orthogonal

from medistill.core.types import Task
from medistill.losses.embedding import embedding_match
from medistill.methods.answers import check_answers, check_exclusive, label_terms, softened
from medistill.methods.heads import HEADS, has_heads
from medistill.methods.method import Shapes
from medistill.methods.ranges import (
    check_choice,
    check_heeded,
    check_softens,
    check_temperature,
    check_weights,
)
from medistill.methods.undefined import POOLED, ImageTask, Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch


@dataclass(frozen=True, kw_only=True)
class VkD:
    """Features through an orthogonal projection, and scores.

    Attributes:
        feature_weight: w, of the features.
        score_weight: v, of the softened scores.
        temperature: T.
        standardise: compare standardised logits; needs three or more classes that exclude each
            other.
        task: what the labels are; masks are none of it.

    Raises:
        RecipeError: a value is out of range.
    """

    feature_weight: float = 1.0
    score_weight: float = 1.0
    temperature: float = 1.0
    standardise: bool = False
    task: ImageTask = "single-label"
    needs: ClassVar[frozenset[str]] = frozenset({"logits", "pooled"})
    undefined: ClassVar[Undefined] = POOLED
    smallest_batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_weights(feature_weight=self.feature_weight, score_weight=self.score_weight)
        check_temperature(self.temperature)
        check_choice("task", self.task, get_args(ImageTask))
        check_exclusive(self.task, self.standardise)

    @property
    def tasks(self) -> frozenset[Task]:
        """The one that the recipe names."""
        return frozenset({self.task})

    def wants(self, student: Network) -> frozenset[str]:
        """The pooled features, and both heads of a student that has two."""
        return frozenset({"pooled", *HEADS} if has_heads(student) else {"pooled"})

    def adapters(self, student_dims: Shapes, teacher_dims: Shapes) -> nn.ModuleDict:
        """The orthogonal projection.

        Raises:
            RecipeError: other classes, or two classes to standardise.
        """
        check_answers(self.task, student_dims, teacher_dims, standardise=self.standardise)
        if not self.score_weight:
            without, cure = "without the term of scores", "give method.score_weight"
            check_heeded(without, f"Leave it out, or {cure}.", standardise=self.standardise)
            check_softens(
                self.temperature, default=type(self).temperature, because=without, otherwise=cure
            )
        widths = student_dims["pooled"][0], teacher_dims["pooled"][0]
        return nn.ModuleDict({"pooled": orthogonal(nn.Linear(*widths, bias=False))})

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """``hard``, ``features`` and ``soft``."""
        head, taught = (outputs.features.get(name, outputs.logits) for name in HEADS)
        projected = adapters["pooled"](outputs.features["pooled"])
        match = embedding_match(student=projected, teacher=targets["pooled"])
        soft = softened(
            self.task,
            student=taught,
            teacher=targets["logits"],
            batch=batch,
            temperature=self.temperature,
            standardise=self.standardise,
        )
        return label_terms(self.task, outputs, batch, head) | {
            "features": self.feature_weight * match,
            "soft": self.score_weight * soft,
        }

"""Label-free pre-distillation: the student's embedding and last map predict the teacher's.

Makes a ViT from a convolutional network where no ViT weights are to be had: on unlabelled images
first, then fitted on labels like any other model.

    L = smooth_L1(P f_s, LN(f_t)) + w mean (R Q m_s - LN(m_t))^2

f_s and f_t are pooled embeddings, m_s the student's last layer, m_t a map of the teacher, P and Q
learned linear maps, R resizing, LN the layer-norm without learned scale (of a map: over its
channels at each place). The first term is that of Miles, Elezi and Deng, "VkD: Improving Knowledge
Distillation using Orthogonal Projections", CVPR 2024; the second that of Li et al., "Locality
Guidance for Improving Vision Transformers on Tiny Datasets", ECCV 2022, equation 3.

Departures from the paper
-------------------------
- P is a plain linear layer with a bias, not an orthogonal one: it is thrown away, and student and
  teacher may be of any width (orthogonal rows need a student no wider than the teacher).
- f of a ViT is its class token after the last norm, or the mean of both tokens where there is a
  distillation token; VkD pools all tokens.
- Both papers add the class loss (and, for a DeiT, a term on the distillation token); here there are
  no labels.
- The embedding's weight of 1 is our default; ``map_weight`` (w) = 0 leaves the map out, and
  ``teacher_map`` is one stage where Li et al. take three, each normalised here so that one weight
  suits every teacher.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from medistill.core.types import Task
from medistill.losses.embedding import embedding_match
from medistill.methods.last_map import last_layer, last_map_match, map_adapter
from medistill.methods.method import ANY_TASK, Shapes
from medistill.methods.ranges import check_weights
from medistill.methods.undefined import NOTHING, Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """Regression of the teacher's pooled embedding, and of one of its maps; reads no labels.

    Attributes:
        map_weight: w, of the map; 0 leaves it out.
        teacher_map: the teacher's map, or tokens, that the student's last layer predicts.

    Raises:
        RecipeError: a value is out of range.
    """

    map_weight: float = 0.0
    teacher_map: str = "stage3"
    tasks: ClassVar[frozenset[Task]] = ANY_TASK
    undefined: ClassVar[Undefined] = NOTHING
    smallest_batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_weights(map_weight=self.map_weight)

    @property
    def needs(self) -> frozenset[str]:
        """The pooled embedding, and the map where it has a weight."""
        return frozenset({"pooled", *([self.teacher_map] if self.map_weight else [])})

    def wants(self, student: Network) -> frozenset[str]:
        """The pooled embedding, and the last layer where the map has a weight.

        Raises:
            RecipeError: the student shows no layer that could predict a map.
        """
        if not self.map_weight:
            return frozenset({"pooled"})
        return frozenset({"pooled", last_layer(student, method="embedding")})

    def adapters(self, student_dims: Shapes, teacher_dims: Shapes) -> nn.ModuleDict:
        """Linear maps from the student's widths to the teacher's.

        Raises:
            RecipeError: the teacher's feature has no positions.
        """
        widths = student_dims["pooled"][0], teacher_dims["pooled"][0]
        made = nn.ModuleDict({"pooled": nn.Linear(*widths)})
        if self.map_weight:
            name, key = self.teacher_map, "method.teacher_map"
            made["map"] = map_adapter(student_dims, teacher_dims, name, key=key)
        return made

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """``embedding``, and ``map`` where it has a weight."""
        projected = adapters["pooled"](outputs.features["pooled"])
        terms = {"embedding": embedding_match(student=projected, teacher=targets["pooled"])}
        if self.map_weight:
            match = last_map_match(outputs, targets[self.teacher_map], adapters["map"])
            terms["map"] = self.map_weight * match
        return terms

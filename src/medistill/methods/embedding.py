"""Label-free pre-distillation: the student's pooled embedding predicts the teacher's.

Makes a ViT from a convolutional network where no ViT weights are to be had: on unlabelled images
first, then fitted on labels like any other model.

    L = smooth_L1(P f_s, LN(f_t)), mean over the embedding and over the batch

f_s and f_t are pooled embeddings, P is a learned linear map, LN the layer-norm without learned
scale. The loss is that of Miles, Elezi and Deng, "VkD: Improving Knowledge Distillation using
Orthogonal Projections", CVPR 2024.

Departures from the paper
-------------------------
- P is a plain linear layer with a bias, not an orthogonal one: it is thrown away, and student and
  teacher may be of any width (orthogonal rows need a student no wider than the teacher).
- f of a ViT is its class token after the last norm, or the mean of both tokens where there is a
  distillation token; the paper pools all tokens.
- The paper adds the class loss (and, for a DeiT, a term on the distillation token); here there are
  no labels.
- The weight of 1 is our default: there is one term, so only the learning rate matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from medistill.core.types import Task
from medistill.losses.embedding import embedding_match
from medistill.methods.method import ANY_TASK, Shapes
from medistill.methods.undefined import NOTHING, Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """Regression of the teacher's pooled embedding; reads no labels."""

    needs: ClassVar[frozenset[str]] = frozenset({"pooled"})
    tasks: ClassVar[frozenset[Task]] = ANY_TASK
    undefined: ClassVar[Undefined] = NOTHING
    smallest_batch: ClassVar[int] = 1

    def wants(self, student: Network) -> frozenset[str]:
        """The pooled embedding."""
        return frozenset({"pooled"})

    def adapters(self, student_dims: Shapes, teacher_dims: Shapes) -> nn.ModuleDict:
        """A linear map from the student's width to the teacher's."""
        widths = student_dims["pooled"][0], teacher_dims["pooled"][0]
        return nn.ModuleDict({"pooled": nn.Linear(*widths)})

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """``embedding`` alone."""
        projected = adapters["pooled"](outputs.features["pooled"])
        return {"embedding": embedding_match(student=projected, teacher=targets["pooled"])}

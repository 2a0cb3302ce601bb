"""Label-free distillation by resemblance: between images, and between the places of an image.

Unlabelled scans are many; a student may learn to see on them before it learns from labels.

    L = w KL(softmax(t_i . t_j / T) || softmax(s_i . t_j / T)) over a batch and a queue
      + v KL(the same between the positions of each image)

with all embeddings at length 1; the first of them of Fang et al., "SEED: Self-supervised
Distillation for Visual Representation", ICLR 2021, the second a spatial form of Tung and Mori,
"Similarity-Preserving Knowledge Distillation", ICCV 2019.

Departures from the paper
-------------------------
- ``temperature`` = .07 is our default, common in contrastive learning; SEED has a temperature for
  each side, the teacher's far lower.
- ``queue`` = 0 compares within the batch alone, which suits small sets; SEED's queue holds the
  teacher's embeddings of 65,536 earlier images. The teacher is frozen, so they never grow stale.
- ``embedding_weight`` (w) = ``position_weight`` (v) = 1 and ``teacher_map`` are our defaults.
- ``student`` and teacher are joined by a linear map in the first term only. A ViT's embedding is
  its class token after the last norm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from medistill.core.errors import RecipeError
from medistill.core.types import Task
from medistill.losses.affinity import embedding_affinity, position_affinity
from medistill.methods.features import as_map, layers, require_layers, require_maps
from medistill.methods.method import ANY_TASK, Shapes
from medistill.methods.queue import Queue
from medistill.methods.ranges import check_temperature, check_weights
from medistill.methods.undefined import NOTHING, Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch


@dataclass(frozen=True, kw_only=True)
class Affinity:
    """Resemblances of embeddings and of positions; reads no labels.

    Attributes:
        temperature: T.
        embedding_weight: w, of the resemblances between images.
        position_weight: v, of those between the positions of an image.
        teacher_map: the teacher's map, or tokens, whose positions are compared.
        queue: embeddings of earlier images that each image is compared with too.

    Raises:
        RecipeError: a value is out of range.
    """

    temperature: float = 0.07
    embedding_weight: float = 1.0
    position_weight: float = 1.0
    teacher_map: str = "stage4"
    queue: int = 0
    tasks: ClassVar[frozenset[Task]] = ANY_TASK
    undefined: ClassVar[Undefined] = NOTHING
    smallest_batch: ClassVar[int] = 2

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        check_weights(embedding_weight=self.embedding_weight, position_weight=self.position_weight)
        if self.queue < 0:
            what = f"{self.queue} embeddings cannot be kept"
            cure = "Give 0 (the batch alone) or more."
            raise RecipeError(where="method.queue", what=what, cure=cure)

    @property
    def needs(self) -> frozenset[str]:
        """The pooled embedding and a map."""
        return frozenset({"pooled", self.teacher_map})

    def wants(self, student: Network) -> frozenset[str]:
        """The pooled embedding and the last layer.

        Raises:
            RecipeError: the student shows no layer.
        """
        last = require_layers(student.feature_names, 1, method="affinity")[-1]
        return frozenset({"pooled", last})

    def adapters(self, student_dims: Shapes, teacher_dims: Shapes) -> nn.ModuleDict:
        """A linear map from the student's width to the teacher's, and the queue.

        Raises:
            RecipeError: the teacher's feature has no positions.
        """
        require_maps(teacher_dims, [self.teacher_map], key="method.teacher_map")
        widths = student_dims["pooled"][0], teacher_dims["pooled"][0]
        made = nn.ModuleDict({"pooled": nn.Linear(*widths)})
        if self.queue:
            made["queue"] = Queue(self.queue, widths[1])
        return made

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """``embeddings`` and ``positions``; the teacher's embeddings join the queue."""
        images = embedding_affinity(
            student=adapters["pooled"](outputs.features["pooled"]),
            teacher=targets["pooled"],
            temperature=self.temperature,
            others=_earlier(adapters, targets["pooled"]),
        )
        places = position_affinity(
            student=as_map(outputs.features[layers(outputs.features)[-1]]),
            teacher=as_map(targets[self.teacher_map]),
            temperature=self.temperature,
        )
        return {
            "embeddings": self.embedding_weight * images,
            "positions": self.position_weight * places,
        }


def _earlier(adapters: nn.ModuleDict, teacher: Tensor) -> Tensor | None:
    """Embeddings of earlier batches, if any are kept; those of this one are kept for the next."""
    if "queue" not in adapters:
        return None
    queue = adapters["queue"]
    assert isinstance(queue, Queue)
    held = queue.held()
    queue.add(teacher)
    return held

"""What a distillation method is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from torch import Tensor, nn

from medistill.core.types import Task
from medistill.methods.undefined import Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch

SINGLE_LABEL: frozenset[Task] = frozenset({"single-label"})
MULTI_LABEL: frozenset[Task] = frozenset({"multi-label"})
SEGMENTATION: frozenset[Task] = frozenset({"segmentation"})
ANY_TASK = SINGLE_LABEL | MULTI_LABEL | SEGMENTATION

Shapes = Mapping[str, tuple[int, ...]]


class Method(Protocol):
    """How targets become a loss.

    A method is a frozen dataclass whose fields are its YAML block; it holds no tensors. What it
    learns besides the student (projections) are its adapters: they are trained with the student
    and thrown away afterwards.

    """

    @property
    def needs(self) -> frozenset[str]:
        """Names of the teacher's targets that ``terms`` reads; empty for one without a teacher."""

    @property
    def tasks(self) -> frozenset[Task]:
        """What the labels may be; another task is refused before training."""

    @property
    def undefined(self) -> Undefined:
        """Reason and cure for each task that it does not take."""

    @property
    def smallest_batch(self) -> int:
        """Images that a step needs at least, for example 2 where images are compared."""

    def wants(self, student: Network) -> frozenset[str]:
        """Names of the student's features that ``terms`` reads, out of its feature names.

        Raises:
            RecipeError: the student lacks what the method needs.
        """

    def adapters(self, student_dims: Shapes, teacher_dims: Shapes) -> nn.ModuleDict:
        """Projections to learn; an empty dictionary where there are none.

        Args:
            student_dims: shape without the batch of ``logits`` and of each wanted feature.
            teacher_dims: shape without the batch of each needed target.

        Raises:
            RecipeError: this pair cannot be distilled so; asked before anything is trained.
        """

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """The weighted terms, scalars in float32, whose sum is the loss.

        Args:
            outputs: the student's, with the features it was asked for.
            targets: the teacher's, by the names in ``needs``; no gradient reaches them.
            batch: labels (B, K) as class probabilities, a row of NaN where unlabelled.
            adapters: what ``adapters`` made.
        """

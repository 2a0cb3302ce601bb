"""The one interface behind which targets are live or cached."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from medistill.data.batch import Batch


class Targets(Protocol):
    """What the teacher says of a batch.

    Attributes:
        mixable: whether ``get`` accepts a batch whose images were mixed (mixup, cutmix).
    """

    @property
    def mixable(self) -> bool:
        """Whether ``get`` accepts a mixed batch."""
        ...

    def get(self, batch: Batch) -> dict[str, Tensor]:
        """The teacher's outputs for each image of the batch.

        Returns:
            Name of target -> (B, ...) float32 without gradient, on the device of ``batch.images``.

        Raises:
            TargetsError: the batch is mixed and ``mixable`` is false, or holds an image or view
                for which there are no targets.
        """
        ...

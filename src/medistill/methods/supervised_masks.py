"""Masks alone: how a segmentation teacher is fitted, and the control of such methods.

    L = CE(z, y) + Dice(z, y)

over labelled pixels; Dice of Milletari, Navab and Ahmadi, "V-Net", 3DV 2016.

Departures from the paper
-------------------------
- ``dice_weight`` = 1 joins both terms as segmentation practice does; V-Net has Dice alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor, nn

from medistill.core.types import Task
from medistill.losses.masks import pixel_cross_entropy, soft_dice
from medistill.methods.method import SEGMENTATION, Shapes
from medistill.methods.ranges import check_weights
from medistill.methods.undefined import EACH_PIXEL, Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch


@dataclass(frozen=True, kw_only=True)
class SupervisedMasks:
    """Cross-entropy and Dice against masks.

    Attributes:
        dice_weight: of Dice beside the cross-entropy.

    Raises:
        RecipeError: the weight is negative.
    """

    dice_weight: float = 1.0
    needs: ClassVar[frozenset[str]] = frozenset()
    tasks: ClassVar[frozenset[Task]] = SEGMENTATION
    undefined: ClassVar[Undefined] = EACH_PIXEL
    smallest_batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_weights(dice_weight=self.dice_weight)

    def wants(self, student: Network) -> frozenset[str]:
        """No features."""
        return frozenset()

    def adapters(self, student_dims: Shapes, teacher_dims: Shapes) -> nn.ModuleDict:
        """None."""
        return nn.ModuleDict()

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """``pixels`` and ``dice``."""
        masks = batch.masks_or_fail()
        return {
            "pixels": pixel_cross_entropy(logits=outputs.logits, masks=masks),
            "dice": self.dice_weight * soft_dice(logits=outputs.logits, masks=masks),
        }

"""Any method of scores, with the teacher's map as a guide of the student's last layer beside it.

Li, Yin, Peng, Li, Wang and others, "Locality Guidance for Improving Vision Transformers on Tiny
Datasets", ECCV 2022: a ViT that sees few images learns where to look from the maps of a network
that knows. ``methods.locality`` is that paper's own loss; here its guidance is one more term of
another method's loss:

    L = L_method + w mean (R Q m_s - LN(m_t))^2        (see ``methods.last_map``)

Departures from the paper
-------------------------
- One map guides the last layer, where the paper's guide the first, the middle and the last.
- The map is layer-normed over its channels, so that one weight suits every teacher.
- ``weight`` = 2 is ours (docs/results.md), as is every method but cross-entropy beside the guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from medistill.core.errors import RecipeError
from medistill.core.types import Task
from medistill.methods.features import layers
from medistill.methods.last_map import last_layer, last_map_match, map_adapter
from medistill.methods.method import Method, Shapes
from medistill.methods.ranges import check_weights
from medistill.methods.undefined import Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch

_ADAPTER = "guide"


@dataclass(frozen=True, kw_only=True)
class Guide:
    """What of the teacher guides the student's last layer.

    Attributes:
        teacher_map: the teacher's map, or tokens.
        weight: w.

    Raises:
        RecipeError: the weight is out of range.
    """

    teacher_map: str = "stage3"
    weight: float = 2.0

    def __post_init__(self) -> None:
        check_weights(weight=self.weight)


@dataclass(frozen=True, kw_only=True)
class Guided:
    """A method and its guide; what it takes, needs and refuses is the method's and the map's.

    Attributes:
        method: any method that reads no layers of the student.
        guide: which map, and how much it weighs.
    """

    method: Method
    guide: Guide

    @property
    def needs(self) -> frozenset[str]:
        """What the method needs, and the map."""
        return self.method.needs | {self.guide.teacher_map}

    @property
    def tasks(self) -> frozenset[Task]:
        """The method's."""
        return self.method.tasks

    @property
    def undefined(self) -> Undefined:
        """The method's."""
        return self.method.undefined

    @property
    def smallest_batch(self) -> int:
        """The method's."""
        return self.method.smallest_batch

    def inert(self, classes: int) -> Mapping[str, str]:
        """The method's terms that cannot teach this number of classes, with the reason."""
        asked = getattr(self.method, "inert", None)
        return asked(classes) if asked else {}

    def wants(self, student: Network) -> frozenset[str]:
        """What the method wants, and the last layer.

        Raises:
            RecipeError: the student shows no layer, or the method guides layers already.
        """
        wanted = self.method.wants(student)
        if layers(wanted):
            raise RecipeError(
                where="guide",
                what=f"{type(self.method).__name__} guides layers of the student already",
                cure="Set guide=null, or take a method of scores, such as hinton.",
            )
        return wanted | {last_layer(student, method="a guide")}

    def adapters(self, student_dims: Shapes, teacher_dims: Shapes) -> nn.ModuleDict:
        """The method's, and a 1 x 1 convolution ``guide``.

        Raises:
            RecipeError: the method refuses the pair, or what is named has no positions.
        """
        made = self.method.adapters(student_dims, teacher_dims)
        name, key = self.guide.teacher_map, "guide.teacher_map"
        made[_ADAPTER] = map_adapter(student_dims, teacher_dims, name, key=key)
        return made

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """The method's terms, and ``guide``."""
        match = last_map_match(outputs, targets[self.guide.teacher_map], adapters[_ADAPTER])
        terms = self.method.terms(outputs, targets, batch, adapters)
        return {**terms, _ADAPTER: self.guide.weight * match}

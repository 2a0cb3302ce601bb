"""DeiT: a distillation token of its own learns from the teacher.

Touvron, Cord, Douze, Massa, Sablayrolles and Jegou, "Training data-efficient image transformers and
distillation through attention", ICML 2021, section 4.

    hard:  L = (1 - a) CE(z_cls, y) + a CE(z_dist, argmax z_t)
    soft:  L = (1 - a) CE(z_cls, y) + a T^2 KL(softmax(z_t / T) || softmax(z_dist / T))

Trained on both heads, used with their mean.

Departures from the paper
-------------------------
- ``soft_weight`` = 0.5 and ``temperature`` = 1 are the defaults of the authors' code; the paper's
  soft setting is T = 3 and a = 0.1.
- The divergence is summed over classes; the authors' code divides it by their number too.
  ``per_class`` does so.
- ``standardise`` is an addition: Sun et al., CVPR 2024.
- The augmentation is the recipe's: RandAugment, mixup, cutmix, erasing and stochastic depth as in
  the paper; repeated augmentation, made for a million images, is left out (``views.repeats``).
- A moving average of the weights remembers a tenth of the training at most (``train.ema``), so that
  the recipe's .99996 is less where steps are few.
- The warm-up of the learning rate starts near zero, the authors' at 1e-6.
- Unlabelled images count in the term of the distillation token alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from torch import Tensor, nn

from medistill.core.types import Task
from medistill.losses.hard import hard_decision
from medistill.losses.logits import softened_kl
from medistill.losses.task import cross_entropy
from medistill.methods.classes import check_same_classes, check_standardise, score_pair
from medistill.methods.heads import HEADS, require_heads
from medistill.methods.method import SINGLE_LABEL, Shapes
from medistill.methods.ranges import (
    check_choice,
    check_heeded,
    check_share,
    check_softens,
    check_temperature,
)
from medistill.methods.undefined import ONE_CLASS, Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs

if TYPE_CHECKING:
    from medistill.data.batch import Batch

Kind = Literal["hard", "soft"]
DECIDED = "where the teacher's decision counts alone"
SOFT_ALONE = "Leave it out, or set method.kind=soft."


@dataclass(frozen=True, kw_only=True)
class DeiT:
    """Distillation through a token; needs a student with ``distilled: true``.

    Attributes:
        kind: ``hard`` (the teacher's decision) or ``soft`` (its probabilities).
        soft_weight: a in [0, 1]; weight of the teacher against the labels.
        temperature: T of the soft kind.
        per_class: divide the soft term by the number of classes, as the authors' code does.
        standardise: compare standardised logits in the soft kind; needs three or more classes.

    Raises:
        RecipeError: a value is out of range.
    """

    kind: Kind = "hard"
    soft_weight: float = 0.5
    temperature: float = 1.0
    per_class: bool = False
    standardise: bool = False
    needs: ClassVar[frozenset[str]] = frozenset({"logits"})
    tasks: ClassVar[frozenset[Task]] = SINGLE_LABEL
    undefined: ClassVar[Undefined] = ONE_CLASS
    smallest_batch: ClassVar[int] = 1

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, get_args(Kind))
        check_share(self.soft_weight, "method.soft_weight")
        check_temperature(self.temperature)

    def wants(self, student: Network) -> frozenset[str]:
        """Both heads.

        Raises:
            RecipeError: the student has no distillation token.
        """
        return require_heads(student, method="deit")

    def adapters(self, student_dims: Shapes, teacher_dims: Shapes) -> nn.ModuleDict:
        """None.

        Raises:
            RecipeError: an option of the soft kind with the hard one, other classes, or two
                classes to standardise.
        """
        if self.kind == "hard":
            options = {"per_class": self.per_class, "standardise": self.standardise}
            check_heeded(DECIDED, SOFT_ALONE, **options)
            check_softens(
                self.temperature,
                default=type(self).temperature,
                because=DECIDED,
                otherwise="set method.kind=soft",
            )
        check_same_classes(student_dims, teacher_dims)
        check_standardise(self.standardise, student_dims)
        return nn.ModuleDict()

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """``head`` from the labels and ``head_dist`` from the teacher, weighted."""
        head, head_dist = (outputs.features[name] for name in HEADS)
        hard = cross_entropy(logits=head, labels=batch.labels)
        taught = self._taught(head_dist, targets["logits"])
        return {"head": (1 - self.soft_weight) * hard, "head_dist": self.soft_weight * taught}

    def _taught(self, student: Tensor, teacher: Tensor) -> Tensor:
        if self.kind == "hard":
            return hard_decision(student=student, teacher=teacher)
        ours, theirs = score_pair(student, teacher, standardise=self.standardise)
        loss = softened_kl(student=ours, teacher=theirs, temperature=self.temperature)
        return loss / student.shape[-1] if self.per_class else loss

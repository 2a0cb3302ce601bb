"""The ``train`` block of a recipe."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from medistill.core.errors import RecipeError

Precision = Literal["auto", "32-true", "bf16-mixed"]
SelectBy = Literal["auroc", "dice", "loss", "last"]

_CHOICES = {
    "select_by": ("auroc", "dice", "loss", "last"),
    "precision": ("auto", "32-true", "bf16-mixed"),
}

# Field -> (lowest, highest); a field that may be null is skipped where it is.
_RANGES: dict[str, tuple[float, float]] = {
    "epochs": (1, math.inf),
    "batch_size": (1, math.inf),
    "weight_decay": (0, math.inf),
    "warmup_epochs": (0, math.inf),
    "min_lr": (0, math.inf),
    "label_smoothing": (0, 0.999),
    "balance": (0, 1),
    "mixup": (0, math.inf),
    "cutmix": (0, math.inf),
    "patience": (1, math.inf),
    "ema": (0, 0.9999999),
    "seed": (0, 2**63 - 1),
    "workers": (0, math.inf),
}


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How a network is trained.

    Attributes:
        epochs: looks at *select*; each follows the caller's number of steps.
        batch_size: images a step.
        lr: peak learning rate of AdamW.
        weight_decay: of matrices and kernels; biases, norms, tokens and positions have none.
        warmup_epochs: epochs of linear warm-up before the cosine; may be a fraction.
        min_lr: learning rate at which the cosine ends.
        clip_norm: bound of the gradient's global 2-norm; null clips nothing.
        ema: highest decay of the moving average of the weights, which remembers a tenth of the
            training at most (see ``train.ema``); null keeps none.
        label_smoothing: share of a label spread evenly over the classes, in [0, 1).
        balance: how far classes are shown equally often, for single labels: 0 shows every image
            equally often, 1 every class, 0.5 a class of n images in proportion to the root of n. It
            acts on the labels' and the teacher's terms alike; probabilities then lean to the rare
            classes, so that a threshold (``decide.rule``) or the ranking is to be read.
        mixup: alpha of the Beta distribution (Zhang et al., ICLR 2018); 0 switches it off.
        cutmix: alpha of the Beta distribution (Yun et al., ICCV 2019); 0 switches it off.
        select_by: score on *select* by which the checkpoint is chosen: the highest ``auroc``,
            ties by loss; the highest ``dice`` of masks; the lowest ``loss``; or ``last``, the last
            epoch's average, where there are no labels to choose by.
        patience: epochs without a better checkpoint after which training stops; null never. For
            teachers: a student and its control take as many steps.
        seed: of initial adapters, dropout and mixing.
        precision: ``auto`` takes bf16 autocast where the device has it, else float32.
        workers: processes that render views.
        exact: only deterministic kernels, for the same result on the same GPU twice.

    Raises:
        RecipeError: a value outside its range.
    """

    epochs: int
    batch_size: int
    lr: float
    weight_decay: float = 0.05
    warmup_epochs: float = 0.0
    min_lr: float = 0.0
    clip_norm: float | None = 1.0
    ema: float | None = 0.999
    label_smoothing: float = 0.0
    balance: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    select_by: SelectBy = "auroc"
    patience: int | None = None
    seed: int = 0
    precision: Precision = "auto"
    workers: int = 0
    exact: bool = False

    def __post_init__(self) -> None:
        """Refuse impossible values, naming the field."""
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                most = "" if math.isinf(high) else f" and at most {high:g}"
                raise _out_of_range(name, value, f"Give at least {low:g}{most}.")
        for name in ("lr", "clip_norm"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise _out_of_range(name, value, "Give a number above 0.")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise _out_of_range(name, getattr(self, name), f"Known: {', '.join(choices)}.")
        self._check_schedule()

    def _check_schedule(self) -> None:
        if self.warmup_epochs >= self.epochs:
            cure = f"Give less than epochs, {self.epochs}: the two change together."
            raise _out_of_range("warmup_epochs", self.warmup_epochs, cure)
        if self.min_lr > self.lr:
            raise _out_of_range("min_lr", self.min_lr, f"Give at most its lr, {self.lr:g}.")

    @property
    def mixes(self) -> bool:
        """Whether batches are combined by mixup or cutmix."""
        return self.mixup > 0 or self.cutmix > 0


def _out_of_range(name: str, value: object, cure: str) -> RecipeError:
    return RecipeError(where=f"train.{name}", what=f"{value!r} is not possible", cure=cure)

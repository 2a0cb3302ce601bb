"""Why a method is not defined for a kind of labels, and what to take instead."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from medistill.core.types import Task

#: For each task that a method does not take: the reason, and the cure.
Undefined = Mapping[Task, tuple[str, str]]
ImageTask = Literal["single-label", "multi-label"]

_LABELS = (
    "Take method={name: multi_label}, the same label by label, or dist, locality, vkd or ofa with "
    "method.task=multi-label."
)
_MASKS = "Take method={name: rskd}, or dist or locality with method.task=segmentation."
_CLASSES = "Take method={name: hinton}, or another of 'medistill recipes'."


def _named(task: Task) -> tuple[str, str]:
    return "method.task names another kind of labels", f"Set method.task={task}."


#: Of methods whose ``task`` may be any.
OTHER_TASK: Undefined = MappingProxyType(
    {task: _named(task) for task in ("single-label", "multi-label", "segmentation")}
)
#: Of methods that compare what a network pooled.
POOLED: Undefined = MappingProxyType(
    {
        **OTHER_TASK,
        "segmentation": ("what it compares is pooled, so that places are forgotten", _MASKS),
    }
)
#: Of methods whose scores are one distribution over classes an image.
ONE_CLASS: Undefined = MappingProxyType(
    {
        "multi-label": ("its classes exclude each other, and these labels do not", _LABELS),
        "segmentation": ("it compares one answer an image, and masks have one a pixel", _MASKS),
    }
)
#: Of methods whose scores are yes or no of each label.
EACH_LABEL: Undefined = MappingProxyType(
    {
        "single-label": ("its labels are yes or no each, and of these one alone is true", _CLASSES),
        "segmentation": ("it compares labels of an image, and masks have one a pixel", _MASKS),
    }
)
#: Of methods that compare maps and masks.
EACH_PIXEL: Undefined = MappingProxyType(
    {
        "single-label": ("it learns masks, and these images have labels alone", _CLASSES),
        "multi-label": ("it learns masks, and these images have labels alone", _LABELS),
    }
)
#: Of methods that read no labels.
NOTHING: Undefined = MappingProxyType({})

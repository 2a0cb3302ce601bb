"""What a method is held against: its own loss on labels, without the teacher."""

from __future__ import annotations

from medistill.core.types import Task
from medistill.methods.method import Method
from medistill.methods.rms_net import RMSNet
from medistill.methods.rskd import RSKD
from medistill.methods.supervised import Supervised
from medistill.methods.supervised_labels import SupervisedLabels
from medistill.methods.supervised_masks import SupervisedMasks


def labels_alone(method: Method, task: Task) -> Method:
    """The method that fits teacher and control: the same loss on labels, and nothing else.

    Args:
        method: the student's.
        task: what the labels are.
    """
    if task == "single-label":
        return Supervised()
    if task == "multi-label":
        if isinstance(method, RMSNet):
            return SupervisedLabels(focus=method.focus, positive=method.positive)
        return method if isinstance(method, SupervisedLabels) else SupervisedLabels()
    return method if isinstance(method, SupervisedMasks) else _masks_of(method)


def _masks_of(method: Method) -> SupervisedMasks:
    return SupervisedMasks(dice_weight=method.dice_weight if isinstance(method, RSKD) else 1.0)

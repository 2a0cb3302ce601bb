"""Which method fits labels alone."""

from __future__ import annotations

from medistill.methods.control import labels_alone
from medistill.methods.hinton import Hinton
from medistill.methods.multi_label import MultiLabel
from medistill.methods.rskd import RSKD
from medistill.methods.supervised import Supervised
from medistill.methods.supervised_labels import SupervisedLabels
from medistill.methods.supervised_masks import SupervisedMasks


def test_by_task() -> None:
    assert labels_alone(Hinton(), "single-label") == Supervised()
    assert labels_alone(MultiLabel(), "multi-label") == SupervisedLabels()


def test_the_methods_own_loss_on_labels_is_kept() -> None:
    focal = SupervisedLabels(focus=2.0, positive=0.25)
    assert labels_alone(focal, "multi-label") == focal


def test_masks_keep_the_weight_of_dice() -> None:
    assert labels_alone(RSKD(dice_weight=0.5), "segmentation") == SupervisedMasks(dice_weight=0.5)
    assert labels_alone(Hinton(), "segmentation") == SupervisedMasks()

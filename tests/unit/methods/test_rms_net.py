"""RMS-Net's terms and refusals."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from medistill.core.errors import RecipeError
from medistill.losses.attention import attention_transfer
from medistill.losses.labels import focal
from medistill.losses.similarity import similarity_preserving
from medistill.methods.control import labels_alone
from medistill.methods.rms_net import RMSNet
from medistill.methods.supervised_labels import SupervisedLabels
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import NAN, make_batch

LEVELS = ("stage2", "stage3", "stage4")


def test_terms_are_those_of_the_losses() -> None:
    torch.manual_seed(0)
    ours = {name: torch.randn(4, 3, 4, 4) for name in LEVELS}
    theirs = {name: torch.randn(4, 5, 2, 2) for name in LEVELS}
    labels = torch.tensor([[1.0, 0.0], [NAN, 1.0], [0.0, 0.0], [1.0, 1.0]])
    logits, batch = torch.randn(4, 2), make_batch(labels)
    found = RMSNet().terms(Outputs(logits, ours), theirs, batch, nn.ModuleDict())
    assert set(found) == {"focal", "attention", "similarity"}
    maps = [attention_transfer(student=ours[name], teacher=theirs[name]) for name in LEVELS]
    torch.testing.assert_close(found["attention"], 170 * sum(maps, torch.zeros(())))
    alike = similarity_preserving(student=ours["stage4"], teacher=theirs["stage4"])
    torch.testing.assert_close(found["similarity"], 210 * 4 / 32 * alike)
    expected = focal(logits=logits, labels=labels, focus=2.0, positive=0.25)
    torch.testing.assert_close(found["focal"], expected)


def test_the_control_keeps_the_focal_loss() -> None:
    control = labels_alone(RMSNet(positive=None), "multi-label")
    assert control == SupervisedLabels(focus=2.0, positive=None)


def test_the_attention_of_a_teacher_is_no_map() -> None:
    method = RMSNet(levels=("stage2",), teacher_levels=("attention.1",))
    with pytest.raises(RecipeError, match="the teacher's 'attention.1' is no map"):
        method.adapters({"stage2": (3, 4, 4)}, {"attention.1": (3, 17, 17)})


def test_a_student_without_maps_is_refused() -> None:
    student: Any = SimpleNamespace(feature_names=frozenset({"tokens.0", "pooled"}))
    with pytest.raises(RecipeError, match="it has no 'stage2', whose attention rms_net compares"):
        RMSNet().wants(student)
    dims = {"logits": (2,), **{name: (3, 4, 4) for name in LEVELS}}
    with pytest.raises(RecipeError, match="the teacher's 'stage3' is no map"):
        RMSNet().adapters(dims, {**dims, "stage3": (16, 8)})


PYRAMID = {"stage0": (4, 16, 16), "stage1": (8, 8, 8), "stage2": (16, 4, 4), "stage3": (16, 2, 2)}


def test_a_teacher_may_count_its_stages_from_another_one() -> None:
    """Its stage i is as many times smaller as the student's stage i + 1."""
    ours = {"image": (1, 64, 64), "logits": (2,)}
    ours |= {f"stage{i}": (4, 32 >> i, 32 >> i) for i in range(5)}
    theirs = {"image": (3, 64, 64), "logits": (2,), **PYRAMID}
    theirs_named = RMSNet(teacher_levels=("stage1", "stage2", "stage3"))
    assert theirs_named.needs == {"stage1", "stage2", "stage3"}
    theirs_named.adapters(ours, theirs)
    expected = (
        "student's 'stage1' is 4 times smaller than its image, the teacher's 'stage1' 8 times"
    )
    with pytest.raises(RecipeError, match=expected):
        RMSNet(levels=("stage1", "stage2", "stage3")).adapters(ours, theirs)


def test_levels_of_another_resolution_are_the_same_levels() -> None:
    """100 pixels are 50, 25, 13, 7 and 4, and 224 are 112 to 7."""
    ours = {"image": (1, 100, 100)} | {
        f"stage{i}": (4, n, n) for i, n in enumerate((50, 25, 13, 7, 4))
    }
    theirs = {"image": (1, 224, 224)} | {f"stage{i}": (4, 112 >> i, 112 >> i) for i in range(5)}
    RMSNet().adapters(ours, theirs)
    sides = enumerate((20, 10, 5, 3, 2))
    small = {"image": (1, 40, 40)} | {f"stage{i}": (4, n, n) for i, n in sides}
    RMSNet().adapters(ours, small)


def test_each_level_has_its_pair() -> None:
    with pytest.raises(RecipeError, match="2 maps of the teacher for 3 levels"):
        RMSNet(teacher_levels=("stage1", "stage2"))
    names = ("stage1", "stage2", "stage3")
    ours = {name: torch.randn(4, 3, 4, 4) for name in LEVELS}
    theirs = {name: torch.randn(4, 5, 2, 2) for name in names}
    found = RMSNet(teacher_levels=names).terms(
        Outputs(torch.randn(4, 2), ours), theirs, make_batch(torch.ones(4, 2)), nn.ModuleDict()
    )
    alike = similarity_preserving(student=ours["stage4"], teacher=theirs["stage3"])
    torch.testing.assert_close(found["similarity"], 210 * 4 / 32 * alike)

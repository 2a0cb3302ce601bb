"""What methods that compare scores share."""

from __future__ import annotations

import pytest
import torch

from medistill.core.errors import RecipeError
from medistill.methods.classes import (
    check_same_classes,
    check_standardise,
    score_pair,
    target_classes,
)

NAN = float("nan")


def test_other_classes_are_refused() -> None:
    check_same_classes({"logits": (2,)}, {"logits": (2,)})
    check_same_classes({"logits": (2, 16, 16)}, {"logits": (2, 24, 24)})
    with pytest.raises(RecipeError, match="it scores 1000 classes, the student 2"):
        check_same_classes({"logits": (2,)}, {"logits": (1000,)})


def test_two_classes_cannot_be_standardised() -> None:
    check_standardise(True, {"logits": (3,)})
    check_standardise(False, {"logits": (2,)})
    with pytest.raises(RecipeError, match="-1 and 1 for every image"):
        check_standardise(True, {"logits": (2,)})


def test_pair_is_left_alone_or_standardised() -> None:
    student, teacher = torch.randn(2, 3), torch.randn(2, 3)
    assert score_pair(student, teacher, standardise=False) == (student, teacher)
    for each in score_pair(student, teacher, standardise=True):
        torch.testing.assert_close(each.mean(1), torch.zeros(2))
        torch.testing.assert_close(each.std(1, correction=0), torch.ones(2))


def test_target_is_the_label_or_else_the_teachers_word() -> None:
    labels = torch.tensor([[0.1, 0.9, 0.0], [NAN, NAN, NAN]])
    teacher = torch.tensor([[9.0, 0.0, 0.0], [0.0, 0.0, 9.0]])
    assert target_classes(labels, teacher).tolist() == [1, 2]

"""The hierarchical context loss by hand."""

from __future__ import annotations

import pytest
import torch

from medistill.losses.pyramid import pyramid_match


def test_by_hand() -> None:
    """One pixel of 64 is 8 off: 1 at full size, then 1/4, 1/16 and 1/64 after pooling."""
    teacher = torch.zeros(1, 1, 8, 8)
    student = teacher.clone()
    student[0, 0, 0, 0] = 8
    pooled = {4: (8 / 4) ** 2 / 16, 2: (8 / 16) ** 2 / 4, 1: (8 / 64) ** 2}
    expected = (1 + pooled[4] / 2 + pooled[2] / 4 + pooled[1] / 8) / 1.875
    assert pyramid_match(student=student, teacher=teacher).item() == pytest.approx(expected)


def test_a_small_map_is_not_pooled_to_its_own_size() -> None:
    teacher = torch.zeros(1, 1, 1, 1)
    assert pyramid_match(student=teacher + 2, teacher=teacher).item() == 4.0


def test_other_shapes_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="against teacher"):
        pyramid_match(student=torch.zeros(1, 2, 4, 4), teacher=torch.zeros(1, 3, 4, 4))

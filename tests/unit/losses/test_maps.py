"""Distances of maps and tokens by hand."""

from __future__ import annotations

import pytest
import torch

from medistill.losses.maps import map_match, resized, token_match


def test_map_match_is_a_mean_over_everything() -> None:
    teacher = torch.zeros(2, 3, 4, 4)
    assert map_match(student=teacher + 2, teacher=teacher).item() == 4.0


def test_the_student_comes_to_the_teachers_resolution() -> None:
    fine = torch.arange(16.0).reshape(1, 1, 4, 4)
    means = torch.tensor([[[[2.5, 4.5], [10.5, 12.5]]]])  # of each 2 x 2 square
    assert torch.equal(resized(fine, (2, 2)), means)
    assert map_match(student=fine, teacher=means).item() == 0.0
    assert resized(means, (4, 4)).shape == (1, 1, 4, 4)
    assert resized(means, (4, 4)).mean().item() == pytest.approx(7.5)


def test_token_match_sums_over_an_image() -> None:
    student, teacher = torch.ones(2, 3, 4), torch.zeros(2, 3, 4)
    assert token_match(student=student, teacher=teacher).item() == 12.0
    mask = torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    assert token_match(student=student, teacher=teacher, mask=mask).item() == 6.0


@pytest.mark.parametrize("loss", [map_match, token_match])
def test_other_shapes_are_a_mistake(loss: object) -> None:
    with pytest.raises(ValueError, match="against teacher"):
        loss(student=torch.zeros(1, 2, 3, 3), teacher=torch.zeros(1, 3, 3, 3))  # type: ignore[operator]

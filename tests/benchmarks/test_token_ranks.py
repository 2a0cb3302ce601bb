"""How much of two rankings is the same, by hand."""

from __future__ import annotations

import pytest
import torch

from benchmarks.token_ranks import overlap

FIRST = torch.tensor([[4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]]).reshape(2, 1, 2, 2)


def test_half_of_one_image_and_all_of_the_other() -> None:
    second = torch.tensor([[4.0, 1.0, 3.0, 2.0], [0.0, 0.0, 9.0, 8.0]]).reshape(2, 1, 2, 2)
    assert overlap(FIRST, second, 0.5) == pytest.approx(0.75)
    assert overlap(FIRST, FIRST, 0.25) == 1
    assert overlap(FIRST, -FIRST, 0.5) == 0

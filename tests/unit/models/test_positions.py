"""Resizing of position embeddings."""

from __future__ import annotations

import pytest
import torch

from medistill.models.positions import grid_side, resize_positions


def test_same_grid_is_left_alone() -> None:
    positions = torch.randn(1, 17, 4)
    assert resize_positions(positions, side=4, prefix=1) is positions


def test_extra_tokens_stay_and_a_constant_square_stays_constant() -> None:
    positions = torch.cat([torch.tensor([[[5.0], [6.0]]]), torch.full((1, 9, 1), 2.0)], dim=1)
    resized = resize_positions(positions, side=5, prefix=2)
    assert resized.shape == (1, 27, 1)
    assert resized[0, :2, 0].tolist() == [5.0, 6.0]
    torch.testing.assert_close(resized[0, 2:], torch.full((25, 1), 2.0))


def test_rows_and_columns_are_not_exchanged() -> None:
    rows = torch.arange(4.0).repeat_interleave(4)[None, :, None]
    resized = resize_positions(rows, side=8, prefix=0).reshape(8, 8)
    torch.testing.assert_close(resized, resized[:, :1].expand(8, 8))
    assert torch.all(resized[1:, 0] > resized[:-1, 0])


def test_type_is_kept() -> None:
    half = torch.randn(1, 10, 4).to(torch.float16)
    assert resize_positions(half, side=2, prefix=1).dtype == torch.float16


def test_patches_that_form_no_square_are_refused() -> None:
    assert grid_side(12, prefix=1) is None
    assert grid_side(1, prefix=1) is None
    with pytest.raises(ValueError, match="11 patches do not form a square"):
        resize_positions(torch.zeros(1, 12, 4), side=2, prefix=1)

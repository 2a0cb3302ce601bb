"""Cascade fusion: shapes, who helps whom, and the parts by hand."""

from __future__ import annotations

import pytest
import torch

from medistill.methods.fusion import (
    CascadeFusion,
    ChannelRefinement,
    SpatialRefinement,
    fits,
    pairs_differ,
)

STUDENT, TEACHER = (4, 8, 12, 16), (6, 10, 14, 18)
SIDES = (16, 8, 4, 2)


def stages() -> list[torch.Tensor]:
    return [
        torch.randn(2, c, s, s, requires_grad=True) for c, s in zip(STUDENT, SIDES, strict=True)
    ]


def test_maps_get_the_teachers_channels_at_their_own_size() -> None:
    found = CascadeFusion(STUDENT, TEACHER, width=8)(stages())
    assert [each.shape for each in found] == [
        (2, c, s, s) for c, s in zip(TEACHER, SIDES, strict=True)
    ]


def test_a_shallow_map_hears_the_deeper_ones_and_not_the_other_way_round() -> None:
    fusion, given = CascadeFusion(STUDENT, TEACHER, width=8), stages()
    fusion(given)[0].sum().backward()
    assert all(each.grad is not None and each.grad.any() for each in given)
    given = stages()
    fusion(given)[3].sum().backward()
    assert given[0].grad is None
    assert given[3].grad is not None


def test_spatial_refinement_by_hand() -> None:
    """With the gate wide open everything is strong and stays; shut, gated halves cross over."""
    part, x = SpatialRefinement(4), torch.randn(2, 4, 6, 6)
    torch.nn.init.constant_(part.norm.bias, 100.0)
    torch.testing.assert_close(part(x), x)
    torch.nn.init.constant_(part.norm.bias, -100.0)
    assert part(x).abs().max() < 1e-6
    with torch.no_grad():
        part.norm.weight.copy_(torch.tensor([1.0, -1.0, 1.0, -1.0]))  # their sum is zero
    assert part(x).isfinite().all()


def test_channel_refinement_keeps_the_shape_and_learns_everywhere() -> None:
    part = ChannelRefinement(8)
    out = part(torch.randn(2, 8, 5, 5))
    assert out.shape == (2, 8, 5, 5)
    out.square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in part.parameters())


def test_widths_and_sizes() -> None:
    assert [fits(width) for width in (0, 2, 4, 6, 64)] == [False, False, True, False, True]
    assert pairs_differ([(3, 8, 8), (4, 4, 4)], [(5, 8, 8), (6, 4, 4)]) is None
    assert pairs_differ([(3, 8, 8), (4, 4, 4)], [(5, 8, 8), (6, 2, 2)]) == 1


@pytest.mark.parametrize("width", [4, 12, 64])
def test_any_multiple_of_four_is_possible(width: int) -> None:
    assert SpatialRefinement(width)(torch.randn(1, width, 2, 2)).shape == (1, width, 2, 2)
    assert ChannelRefinement(width)(torch.randn(1, width, 2, 2)).shape == (1, width, 2, 2)

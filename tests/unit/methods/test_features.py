"""Layers by name, tokens as maps."""

from __future__ import annotations

import pytest
import torch

from medistill.core.errors import RecipeError
from medistill.methods.features import (
    as_map,
    layers,
    map_shape,
    require_layers,
    require_maps,
    spread,
)

NAMES = {"pooled", "head", "attention.3", *(f"tokens.{i}" for i in range(12))}


def test_layers_are_in_order_of_depth() -> None:
    assert layers(NAMES) == tuple(f"tokens.{i}" for i in range(12))
    assert layers({"stage1", "stage0", "pooled"}) == ("stage0", "stage1")
    assert layers({"pooled"}) == ()


@pytest.mark.parametrize(
    ("count", "chosen"), [(1, [11]), (3, [3, 7, 11]), (4, [2, 5, 8, 11]), (12, list(range(12)))]
)
def test_spread_is_even_and_ends_with_the_last(count: int, chosen: list[int]) -> None:
    assert spread(layers(NAMES), count) == tuple(f"tokens.{i}" for i in chosen)


def test_tokens_become_a_map_row_by_row() -> None:
    patches = torch.arange(9.0).reshape(1, 9, 1)
    for prefix in (0, 1, 2):
        tokens = torch.cat([torch.full((1, prefix, 1), -1.0), patches], dim=1)
        assert torch.equal(as_map(tokens), torch.arange(9.0).reshape(1, 1, 3, 3))
        assert map_shape(tokens.shape[1:]) == (1, 3, 3)
    maps = torch.zeros(2, 5, 4, 4)
    assert as_map(maps) is maps
    assert map_shape((5, 4, 4)) == (5, 4, 4)


def test_too_few_layers_are_refused() -> None:
    with pytest.raises(RecipeError, match="it shows 1 layers, and ofa guides 4"):
        require_layers({"stage0"}, 4, method="ofa")


def test_a_feature_without_positions_is_refused() -> None:
    require_maps({"stage1": (3, 4, 4), "tokens.1": (16, 3)}, ["stage1", "tokens.1"], key="method.f")
    with pytest.raises(RecipeError, match="method.f: the teacher's 'pooled' has no positions"):
        require_maps({"pooled": (1280,)}, ["pooled"], key="method.f")


def test_an_attention_is_no_map_though_it_has_three_sides() -> None:
    with pytest.raises(RecipeError, match="the teacher's 'attention.1' has no positions. Name a"):
        require_maps({"attention.1": (3, 17, 17)}, ["attention.1"], key="guide.teacher_map")

"""RSKD's terms and refusals."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from medistill.core.errors import RecipeError
from medistill.losses.contourlet import contourlet_match
from medistill.losses.masks import pixel_kl
from medistill.losses.ranking import list_mle
from medistill.methods.rskd import RSKD
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import make_batch

SIDES = {"level0": 16, "level1": 8, "level2": 4, "level3": 2}
METHOD = RSKD(fusion_width=8)


def dims(base: int, **other: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    maps = {name: (base * (i + 1), s, s) for i, (name, s) in enumerate(SIDES.items())}
    ranks = {"importance2": (1, 2, 2), "importance3": (1, 2, 2)}
    return {"logits": (3, 64, 64), "coarse": (3, 16, 16), **maps, **ranks, **other}


def features(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(2, *shape, generator=generator) for name, shape in shapes.items()}


def test_terms_are_those_of_the_losses() -> None:
    torch.manual_seed(0)
    ours, theirs = features(dims(4), 0), features(dims(6), 1)
    adapters = METHOD.adapters(dims(4), dims(6))
    batch = dataclasses.replace(
        make_batch(torch.zeros(2, 3)), masks=torch.randint(0, 3, (2, 64, 64))
    )
    found = METHOD.terms(Outputs(ours.pop("logits"), ours), theirs, batch, adapters)
    assert set(found) == {"pixels", "dice", "soft", "ranks", "textures", "stages"}
    soft = pixel_kl(student=ours["coarse"], teacher=theirs["coarse"], temperature=1.0)
    torch.testing.assert_close(found["soft"], soft)
    ranks = [
        list_mle(student=ours[name].flatten(1), teacher=theirs[name].flatten(1), top=1)
        for name in ("importance2", "importance3")
    ]
    torch.testing.assert_close(found["ranks"], 0.05 * torch.stack(ranks).mean())
    textures = contourlet_match(
        student=adapters["texture"](ours["level0"]), teacher=theirs["level0"], directions=(3, 2)
    )
    torch.testing.assert_close(found["textures"], 0.1 * textures)


def test_only_terms_with_a_weight_need_anything() -> None:
    alone = RSKD(pixel_weight=0, rank_weight=0, texture_weight=0, fusion_weight=0)
    assert alone.needs == frozenset()
    assert RSKD(rank_weight=0, texture_weight=0, fusion_weight=0).needs == {"coarse"}


@pytest.mark.parametrize(
    ("teacher", "words"),
    [
        ({"level3": (9, 4, 4)}, "the stages of teacher and student have other sizes"),
        ({"coarse": (2, 16, 16)}, "it scores 2 classes, the student 3"),
        ({"importance3": (1, 1, 1)}, "level 3 has 1 tokens to rank"),
    ],
)
def test_pairs_that_do_not_fit_are_refused(teacher: dict[str, Any], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        METHOD.adapters(dims(4), dims(6, **teacher))


def test_small_maps_are_refused() -> None:
    small = {"level0": (4, 4, 4)}
    with pytest.raises(RecipeError, match="2 scales do not fit into 4 pixels"):
        METHOD.adapters(dims(4, **small), dims(6, **small))


def test_a_student_without_masks_or_importance_is_refused() -> None:
    plain: Any = SimpleNamespace(feature_names=frozenset({"pooled"}))
    with pytest.raises(RecipeError, match="student.decoder: the student has no 'coarse'"):
        METHOD.wants(plain)
    pyramid: Any = SimpleNamespace(feature_names=frozenset({"coarse", *SIDES}))
    with pytest.raises(RecipeError, match="no 'importance2'. Set method.rank_weight=0"):
        METHOD.wants(pyramid)


@pytest.mark.parametrize(
    "values",
    [
        {"top_share": 0.0},
        {"top_share": 1.5},
        {"rank_levels": (4,)},
        {"rank_levels": ()},
        {"directions": ()},
        {"fusion_width": 6},
        {"ranking": "sorting"},
    ],
)
def test_impossible_values_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=f"method.{next(iter(values))}"):
        RSKD(**values)

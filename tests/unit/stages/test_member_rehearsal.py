"""Members that started apart are asked for scores alone."""

from __future__ import annotations

import pytest

from medistill.core.errors import RecipeError
from medistill.recipe import load_recipe
from medistill.stages.member_rehearsal import check_members

APART = ("teacher.weights=null", "teacher.members=3", "teacher.cross_fit=true")


@pytest.mark.parametrize(
    ("name", "overrides", "feature"),
    [
        ("locality-small", (), "stage2"),
        ("vkd-small", (), "pooled"),
        ("hinton-small", ("guide={teacher_map: stage3, weight: 2.0}",), "stage3"),
        ("affinity-small", (), "pooled"),  # asked before there are labels
        ("rskd-small", ("teacher.predistil=null",), "level0"),
    ],
)
def test_features_of_members_that_started_apart_are_refused(
    name: str, overrides: tuple[str, ...], feature: str
) -> None:
    recipe = load_recipe(name, (*APART, *overrides))
    with pytest.raises(RecipeError, match=rf"^teacher\.members: 3 members .* no '{feature}' in"):
        check_members(recipe)


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("hinton-small", APART),
        ("locality-small", ("teacher.weights=null", "teacher.members=1")),
        ("locality-small", ("teacher.weights=published", *APART[1:])),
        ("vitkd-small", APART),  # distilled from one model first
        (
            "rskd-small",
            (*APART, "teacher.predistil=null", "method.texture_weight=0", "method.fusion_weight=0"),
        ),
    ],
)
def test_scores_ranks_and_members_of_one_start_are_fine(
    name: str, overrides: tuple[str, ...]
) -> None:
    recipe = load_recipe(name, overrides)
    check_members(recipe)
    assert recipe.asked

"""What several members of a teacher cannot say together is refused before they are fitted."""

from __future__ import annotations

from medistill.core.errors import RecipeError
from medistill.recipe import Recipe

#: Scores of classes and ranks of places mean the same whatever a network started from.
_COMPARABLE = ("logits", "coarse", "importance")


def check_members(recipe: Recipe) -> None:
    """Refuse features of members that each started from random weights of its own.

    Their channels have nothing to do with each other: a mean over members is no feature of any,
    and under cross-fitting two images would be compared by two networks.

    Raises:
        RecipeError: the recipe asks several such members for features.
    """
    teacher = recipe.teacher
    alike = teacher.members == 1 or teacher.weights is not None or teacher.predistil is not None
    features = [name for name in sorted(recipe.asked) if not name.startswith(_COMPARABLE)]
    if features and not alike:
        what = f"{teacher.members} members that start at random have no '{features[0]}' in common"
        raise RecipeError(
            where="teacher.members",
            what=what,
            cure="Set teacher.members=1 and teacher.cross_fit=false, give teacher.weights, or "
            "take a method of scores, such as hinton.",
        )

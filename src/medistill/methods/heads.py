"""The two heads of a student with a distillation token."""

from __future__ import annotations

from medistill.core.errors import RecipeError
from medistill.models.network import Network

#: The class token's logits and the distillation token's.
HEADS = ("head", "head_dist")


def has_heads(student: Network) -> bool:
    """Whether the student has a head of its own for a distillation token."""
    return student.feature_names >= frozenset(HEADS)


def require_heads(student: Network, *, method: str) -> frozenset[str]:
    """Names of both heads.

    Raises:
        RecipeError: the student has no distillation token.
    """
    if not has_heads(student):
        raise RecipeError(
            where="student.distilled",
            what=f"{method} teaches a distillation token, and the student has none",
            cure="Set student.distilled=true with a ViT of medistill.",
        )
    return frozenset(HEADS)

"""Refusals of values that a method's block cannot have."""

from __future__ import annotations

import math
from collections.abc import Iterable

from medistill.core.errors import RecipeError


def check_temperature(value: float, where: str = "method.temperature") -> None:
    """Refuse a temperature that is not above 0.

    Raises:
        RecipeError: it is 0, negative, infinite or NaN.
    """
    if not 0 < value < math.inf:
        raise RecipeError(
            where=where,
            what=f"{value} does not soften anything",
            cure="Give a number above 0, usually 1 to 8.",
        )


def check_share(value: float, where: str) -> None:
    """Refuse what is not in [0, 1].

    Raises:
        RecipeError: it is outside, or NaN.
    """
    if not 0 <= value <= 1:
        raise RecipeError(
            where=where,
            what=f"{value} is not a share",
            cure="Give a number from 0 (labels only) to 1 (teacher only).",
        )


def check_weights(**weights: float) -> None:
    """Refuse weights of terms that are negative or not finite, by the name of their field.

    Raises:
        RecipeError: the first such weight.
    """
    for name, value in weights.items():
        if not 0 <= value < math.inf:
            raise RecipeError(
                where=f"method.{name}",
                what=f"{value} is not a weight",
                cure="Give 0 (off) or a number above.",
            )


def check_heeded(because: str, cure: str, **given: bool) -> None:
    """Refuse options that are set where nothing reads them.

    For ``adapters``, which are asked before a training: an earlier version may have trained with
    such an option, and what it made stays readable.

    Args:
        because: why nothing does, as the end of a sentence.
        cure: what to do.
        given: whether each option, by the name of its field, is set.

    Raises:
        RecipeError: the first that is.
    """
    for name, is_set in given.items():
        if is_set:
            raise RecipeError(where=f"method.{name}", what=f"it does nothing {because}", cure=cure)


def check_softens(value: float, *, default: float, because: str, otherwise: str) -> None:
    """Refuse a temperature other than the default where nothing reads it; as ``check_heeded``.

    Args:
        value: T.
        default: what T is where nobody gives one.
        because: why nothing does, as the end of a sentence.
        otherwise: how something would.

    Raises:
        RecipeError: it is another.
    """
    cure = f"Set method.temperature={default}, or {otherwise}."
    check_heeded(because, cure, temperature=value != default)


def check_choice(name: str, value: str, known: Iterable[str]) -> None:
    """Refuse a word that is not among the known ones.

    Raises:
        RecipeError: it is another word.
    """
    words = tuple(known)
    if value not in words:
        raise RecipeError(
            where=f"method.{name}",
            what=f"'{value}' is none of its values",
            cure=f"Known: {', '.join(words)}.",
        )


def check_focus(focus: float, positive: float | None) -> None:
    """Refuse values of a focal loss that cannot be trained with.

    Raises:
        RecipeError: a focus between 0 and 1 (its gradient is infinite) or below 0, or a weight of
            a yes outside (0, 1).
    """
    if not (focus == 0 or 1 <= focus < math.inf):
        raise RecipeError(
            where="method.focus",
            what=f"{focus} gives infinite gradients or no focus",
            cure="Give 0 (cross-entropy) or at least 1, usually 2.",
        )
    if positive is not None and not 0 < positive < 1:
        raise RecipeError(
            where="method.positive",
            what=f"{positive} is not a weight of a yes against a no",
            cure="Give a number between 0 and 1, or null.",
        )

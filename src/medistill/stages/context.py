"""What every stage is given: the recipe, the run folder and somewhere to speak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from medistill.core.run_folder import RunFolder
from medistill.train.progress import Progress

if TYPE_CHECKING:  # a recipe's blocks bring torch, which checking data does not need
    from medistill.recipe import Recipe


#: What is counted while near-duplicates are grouped.
LISTING = "Looking through files"


class Reporter(Protocol):
    """Where a run speaks to its user."""

    def say(self, text: str) -> None:
        """Print one line."""

    def training(self, title: str) -> Progress:
        """A listener for one training's progress."""

    def counting(self, title: str) -> Callable[[int, int], None]:
        """A listener for a count: done, total."""


@dataclass(frozen=True)
class Context:
    """One run in progress.

    Attributes:
        recipe: every value of the run.
        run: the run folder.
        reporter: where to speak.
    """

    recipe: Recipe
    run: RunFolder
    reporter: Reporter

    def folds(self) -> tuple[int, ...]:
        """Folds to run: all of them, or the one that the recipe names."""
        data = self.recipe.data
        return tuple(range(data.folds)) if data.fold is None else (data.fold,)

    def scope(self, fold: int) -> str:
        """Prefix of a fold's stages; empty when there is one split."""
        return "" if self.recipe.data.folds == 1 else f"fold-{fold}/"


class SilentReporter:
    """A reporter for use from Python: nothing is printed."""

    def say(self, text: str) -> None:
        """Drop the line."""

    def training(self, title: str) -> Progress:
        """Drop the events."""
        return lambda event: None

    def counting(self, title: str) -> Callable[[int, int], None]:
        """Drop the counts."""
        return lambda done, total: None

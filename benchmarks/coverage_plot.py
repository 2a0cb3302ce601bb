"""Coverage at 5 to 80 groups, as a picture, and coverage of conformal sets by class.

``python -m benchmarks.coverage_plot --sets 500 --out docs/images/coverage.svg``. Worlds and truths
are those of ``benchmarks.coverage``; below ten groups the report gives no interval, so there is no
point. Conformal sets: one image a group, 90 % and 95 % promised, calibrated on few groups of each
class and asked about 2,000 more.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.coverage import GROUPS, TRUTHS, World, singles
from medistill.bundle.conformal import class_sets, fewest_groups
from medistill.core.ending import run_program
from medistill.evaluate.conformal import fit_conformal

TITLES = {"auroc": "AUROC", "accuracy": "accuracy", "balanced_accuracy": "balanced accuracy"}
NAMES = tuple(TITLES)
CLASSES = ("a", "b")
ASKED = 2000


def interval_coverage(sets: int) -> dict[tuple[str, float], list[tuple[int, float | None]]]:
    """Share of simulated test sets whose interval holds the truth; None where none was given."""
    found: dict[tuple[str, float], list[tuple[int, float | None]]] = {}
    for truth in TRUTHS:
        for groups in GROUPS:
            world = World(groups=groups, images=1)
            for names in (NAMES[:1], NAMES[1:]):
                for name, tally in singles(names, truth, world, sets).items():
                    share = tally.held / tally.given if tally.given else None
                    found.setdefault((name, truth), []).append((groups, share))
    return found


def conformal_coverage(groups: int, level: float, sets: int) -> float | None:
    """Mean coverage of the worse-covered class; None below the floor, where sets are refused."""
    random, held = np.random.default_rng([groups, int(1000 * level)]), []
    for _ in range(sets):
        chances, labels = _drawn(2 * groups, random)
        names = [str(number) for number in range(2 * groups)]
        fitted, _ = fit_conformal(
            chances, labels, names, level=level, task="single-label", classes=CLASSES
        )
        if fitted is None:
            return None
        asked, truth = _drawn(ASKED, random)
        sets_ = class_sets(asked, fitted, CLASSES)
        held.append([sets_[truth == c, c].mean() for c in range(2)])
    return float(np.mean(held, axis=0).min())


def _drawn(count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Overconfident probabilities of two classes that are equally frequent, and the classes."""
    labels = np.arange(count) % 2
    chance = 1 / (1 + np.exp(-3 * (random.normal(size=count) + labels - 0.5)))
    return np.stack([1 - chance, chance], axis=1), labels


def draw(found: dict[tuple[str, float], list[tuple[int, float | None]]], path: Path) -> None:
    """One panel a metric, one line a truth, the wished band in grey."""
    figure = Figure(figsize=(9, 3), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(NAMES), sharey=True), NAMES, strict=True):
        axes.axhspan(0.93, 0.97, color="0.9")
        for truth in TRUTHS:
            points = [(g, share) for g, share in found[name, truth] if share is not None]
            axes.plot(*zip(*points, strict=True), marker="o", label=f"true value {truth}")
        axes.set(title=TITLES[name], xlabel="groups", xscale="log", ylim=(0.8, 1.0))
        axes.set_xticks(GROUPS, [str(groups) for groups in GROUPS])
        axes.minorticks_off()
    axes.legend()
    figure.savefig(path)


def main() -> None:
    """Print coverage and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=500, help="simulated test sets a point")
    parser.add_argument("--out", type=Path, default=Path("coverage.svg"))
    given = parser.parse_args()
    found = interval_coverage(given.sets)
    for (name, truth), points in found.items():
        shown = (f"{g}: {'too few groups' if s is None else f'{s:.1%}'}" for g, s in points)
        print(f"{name:18} {truth:4.2f}  {'  '.join(shown)}")
    for level in (0.9, 0.95):
        for groups in (5, fewest_groups(level), 20, 40, 80):
            share = conformal_coverage(groups, level, given.sets)
            text = "refused" if share is None else f"{share:.1%}"
            print(f"conformal, {level:.0%} promised, {groups:2d} groups a class: {text}")
    draw(found, given.out)


if __name__ == "__main__":
    run_program(main, "coverage_plot")

"""Do the 95 % intervals hold the truth 95 times in 100?

Simulates test sets whose true figures are known, and counts: ``python -m benchmarks.coverage``.
Scores are normal with a shift between two classes; a group shares its class and half of the
variance of its images' scores. Then AUROC = Phi(shift / sqrt 2), and accuracy = balanced accuracy
= sensitivity = specificity = F1 = Phi(shift / 2) at the threshold in the middle.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from medistill.core.ending import run_program
from medistill.evaluate.arrays import Floats
from medistill.evaluate.bootstrap import Statistic, draw_resamples, replicate
from medistill.evaluate.intervals import Estimate, estimate_with_interval
from medistill.evaluate.metrics import METRICS, Metric
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.scored import supports

GROUPS = (5, 10, 20, 40, 80)
TRUTHS = (0.7, 0.9, 0.98)
NAMES = ("auroc", "accuracy", "balanced_accuracy", "sensitivity", "f1")
RESAMPLES = 400  # the error of a standard error is then 3.5 %, which moves no coverage
LARGE = 40
WISHED = (0.93, 0.97)
EVENTS = 20
HEAD = f"{'groups images folds truth metric':46}   covered percentile  width given\n{'-' * 80}"


@dataclass(frozen=True, kw_only=True)
class World:
    """Where test sets come from: ``images`` is the largest number in a group.

    Classes are equally frequent; ``drawn`` lets chance decide each group's class, which is what a
    bootstrap supposes and what F1 feels.
    """

    groups: int
    images: int
    folds: int = 1
    drawn: bool = False


@dataclass
class Tally:
    """How often an interval was given, held the truth, and how wide it was."""

    given: int = 0
    held: int = 0
    percentile_held: int = 0
    width: float = 0.0

    def add(self, found: Estimate, resampled: Floats, truth: float) -> None:
        """Count one test set."""
        if found.low is None or found.high is None:
            return
        low, high = np.nanquantile(resampled, [0.025, 0.975])
        self.given += 1
        self.held += found.low <= truth <= found.high
        self.percentile_held += bool(low <= truth <= high)
        self.width += found.high - found.low

    def __str__(self) -> str:
        """Coverage, coverage of percentile intervals, mean width, number given."""
        if not self.given:
            return f"{'too few groups':>33}"
        share, plain = self.held / self.given, self.percentile_held / self.given
        return f"{share:9.1%} {plain:9.1%} {self.width / self.given:7.3f} {self.given:5d}"


def shift_for(name: str, truth: float) -> float:
    """Distance of the classes' means at which a metric has the true value."""
    return float(stats.norm.ppf(truth)) * (np.sqrt(2) if name == "auroc" else 2.0)


def draw_models(
    world: World, shifts: Sequence[float], random: np.random.Generator, alike: float = 0.7
) -> list[Predictions]:
    """Models of given skills on one test set; ``alike`` is the share of variance they share."""
    sizes = random.integers(1, world.images + 1, size=world.groups)
    group = np.repeat(np.arange(world.groups), sizes)
    turn = random.permutation(world.groups)
    classes = random.integers(0, 2, world.groups) if world.drawn else turn // world.folds % 2
    labels = classes[group]
    shared = _clustered(group, world.images, random)
    tables = []
    for shift in shifts:
        own = _clustered(group, world.images, random)
        noise = np.sqrt(alike) * shared + np.sqrt(1 - alike) * own
        probability = stats.norm.cdf(shift * (labels - 0.5) + noise)
        tables.append(
            Predictions(
                names=[str(row) for row in range(group.size)],
                groups=[str(number) for number in group],
                labels=labels,
                probabilities=np.stack([1 - probability, probability], axis=1),
                folds=(turn % world.folds)[group],
            )
        )
    return tables


def _clustered(group: np.ndarray, images: int, random: np.random.Generator) -> Floats:
    """Normal numbers of variance 1 that share half of it within a group of several."""
    own = random.normal(size=group.size)
    common = random.normal(size=int(group.max()) + 1)[group]
    return own if images == 1 else np.sqrt(0.5) * (own + common)


def column_of(metric: Metric) -> int:
    """The class whose value is watched, for the metrics of a class."""
    return 1 if metric.per_class else 0


def singles(names: Sequence[str], truth: float, world: World, sets: int) -> dict[str, Tally]:
    """Coverage of the intervals of metrics that have the same true value on the same test sets."""
    tallies = {name: Tally() for name in names}
    random = np.random.default_rng([world.groups, world.images, world.folds, int(1000 * truth)])
    for number in range(sets):
        table = draw_models(world, [shift_for(names[0], truth)], random)[0]
        drawn = draw_resamples(table, resamples=RESAMPLES, seed=number)
        statistics = {name: statistic_of(METRICS[name]) for name in names}
        resampled = replicate([table], statistics, drawn)[0]
        for name, tally in tallies.items():
            metric, value = METRICS[name], np.atleast_1d(statistics[name].of(table))
            column = column_of(metric)
            own = resampled[name].reshape(RESAMPLES, -1)[:, column]
            found = estimate_with_interval(
                float(value[column]),
                own,
                scale="share" if metric.scale == "share" else "unit",
                support=supports(table, metric, "group")[column],
            )
            tally.add(found, own, truth)
        if not world.drawn and not any(tally.given for tally in tallies.values()):
            break  # the first set had too few groups, and the others have as many
    return tallies


def statistic_of(metric: Metric) -> Statistic:
    """What is resampled of a metric."""
    return Statistic(function=metric.function, pooled=metric.pooled)


def paired(name: str, truth: float, gain: float, world: World, sets: int) -> Tally:
    """Coverage of the interval of a difference of two models."""
    metric, tally = METRICS[name], Tally()
    random = np.random.default_rng([world.groups, world.images, world.folds, int(1000 * truth), 1])
    for number in range(sets):
        shifts = [shift_for(name, truth), shift_for(name, truth - gain)]
        tables = draw_models(world, shifts, random)
        values, resampled = _resample(tables, metric, number)
        column = column_of(metric)
        difference = (resampled[0] - resampled[1]).reshape(RESAMPLES, -1)[:, column]
        found = estimate_with_interval(
            float(np.atleast_1d(values[0] - values[1])[column]),
            difference,
            scale="difference",
            support=supports(tables[0], metric, "group")[column],
        )
        tally.add(found, difference, gain)
    return tally


def _resample(
    tables: Sequence[Predictions], metric: Metric, seed: int
) -> tuple[list[Floats], list[Floats]]:
    statistic = statistic_of(metric)
    drawn = draw_resamples(tables[0], resamples=RESAMPLES, seed=seed)
    resampled = replicate(tables, {metric.name: statistic}, drawn)
    return [statistic.of(table) for table in tables], [r[metric.name] for r in resampled]


def seeds_coverage(seeds: int, spread: float, sets: int) -> Mapping[str, float]:
    """Coverage over seeds: components of variance against drawing seeds with replacement.

    A difference is the sum of normal effects of the seed (deviation ``spread``), of the group and
    of both together (deviation 1 each), over 100 groups.
    """
    random, groups = np.random.default_rng([seeds, int(100 * spread)]), 100
    held = {"components": 0, "resampled seeds": 0}
    for _ in range(sets):
        table = random.normal(0, spread, (seeds, 1)) + random.normal(size=(1, groups))
        table = table + random.normal(size=(seeds, groups))
        counts = random.multinomial(groups, np.full(groups, 1 / groups), size=500) / groups
        drawn = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=500) / seeds
        by_seed = counts @ table.T
        low, high = np.quantile((by_seed * drawn).sum(axis=1), [0.025, 0.975])
        held["resampled seeds"] += bool(low <= 0 <= high)
        of_groups = by_seed.mean(axis=1).var() * groups / (groups - 1)
        of_seeds = table.mean(axis=1).var(ddof=1) / seeds
        total = of_groups + of_seeds
        freedom = total**2 / (of_groups**2 / (groups - 1) + of_seeds**2 / (seeds - 1))
        reach = stats.t.ppf(0.975, freedom) * np.sqrt(total)
        held["components"] += bool(abs(table.mean()) <= reach)
    return {name: count / sets for name, count in held.items()}


def worlds(groups: int) -> Iterator[World]:
    """One image a group; up to nine; up to nine in five folds."""
    plain = World(groups=groups, images=1)
    yield plain
    yield replace(plain, images=9)
    if groups >= 40:
        yield replace(plain, images=9, folds=5)


def main() -> None:
    """Print three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=500, help="simulated test sets a row")
    parser.add_argument("--tables", nargs="+", choices=PRINTED, default=list(PRINTED))
    parser.add_argument("--groups", nargs="+", type=int, default=GROUPS, help="numbers of groups")
    given = parser.parse_args()
    for table in given.tables:
        PRINTED[table](given.sets, given.groups)


def print_single(sets: int, groups: Sequence[int]) -> None:
    """Intervals of one model's metrics, and how many of the larger cells are as wished."""
    print(f"One model\n{HEAD}")
    found, eventful = Counter[str](), Counter[str]()
    for world in (w for number in groups for w in worlds(number)):
        for truth in TRUTHS:
            for names in (NAMES[:1], NAMES[1:-1], NAMES[-1:]):
                asked = replace(world, drawn=names == ("f1",))
                for name, tally in singles(names, truth, asked, sets).items():
                    print(_label(world, truth, name), tally, flush=True)
                    if world.groups >= LARGE and tally.given:
                        found[verdict(tally.held / tally.given)] += 1
                        if round(errors(name, truth, world), 6) >= EVENTS:
                            eventful[verdict(tally.held / tally.given)] += 1
    wished = f"{WISHED[0]:.0%} to {WISHED[1]:.0%}"
    print(f"cells of {LARGE} groups or more: {dict(found)} {wished}")
    print(f"of these, with {EVENTS} errors or more on the average: {dict(eventful)} {wished}")


def errors(name: str, truth: float, world: World) -> float:
    """Wrong answers that a test set holds on the average, at the threshold in the middle.

    Those of the watched class alone where a metric is of it alone.
    """
    images = world.groups * (1 + world.images) / 2
    wrong = float(stats.norm.sf(shift_for(name, truth) / 2))
    return images * wrong * (0.5 if name == "sensitivity" else 1.0)


def verdict(share: float) -> str:
    """Where a coverage lies against what is wished."""
    return "below" if share < WISHED[0] else "above" if share > WISHED[1] else "within"


def print_paired(sets: int, groups: Sequence[int]) -> None:
    """Intervals of the difference of two models."""
    print(f"\nDifference of two models, true difference 0.04\n{HEAD}")
    for world in (w for number in groups if number >= GROUPS[2] for w in worlds(number)):
        for name in NAMES:
            for truth in (0.8, 0.9):
                tally = paired(name, truth, 0.04, world, sets)
                print(_label(world, truth, name), tally, flush=True)


def print_seeds(sets: int, _: Sequence[int]) -> None:
    """Intervals of a mean over seeds, over 100 groups."""
    print("\nMean over seeds, 100 groups: coverage")
    for seeds in (5, 10):
        for spread in (0.0, 0.1, 0.3, 1.0):
            shares = seeds_coverage(seeds, spread, 2 * sets)
            text = "  ".join(f"{name} {share:.1%}" for name, share in shares.items())
            print(f"{seeds:2d} seeds, deviation {spread:3.1f}  {text}", flush=True)


def _label(world: World, truth: float, name: str) -> str:
    up_to = f"1-{world.images}" if world.images > 1 else "1"
    return f"{world.groups:6d} {up_to:>6} {world.folds:5d} {truth:5.2f} {name:20}"


PRINTED = {"single": print_single, "paired": print_paired, "seeds": print_seeds}

if __name__ == "__main__":
    run_program(main, "coverage")

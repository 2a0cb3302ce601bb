"""Who may leave: a variant must stay right and become faster, on this very machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from medistill.bundle.calibration import Calibration, decide, probabilities
from medistill.bundle.decisions import Decisions
from medistill.bundle.engine import Engine
from medistill.bundle.footprint import footprint
from medistill.bundle.schema import Parity
from medistill.bundle.trial import MetricChange, Trial
from medistill.core.types import Task
from medistill.export.onnx_graph import INPUT
from medistill.export.speed import measured, open_files, thread_counts
from medistill.export.variants import Variant

Array = NDArray[np.float64]
Images = NDArray[np.float32]
Run = Callable[[Images], Mapping[str, Array]]
_BATCH = 32


class Decided(Protocol):
    """What is fitted on one model's own outputs."""

    @property
    def calibration(self) -> Calibration:
        """Temperatures."""

    @property
    def thresholds(self) -> Mapping[str, float]:
        """Operating point."""

    @property
    def decisions(self) -> Decisions:
        """Prediction sets and trust gate."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What a variant must keep.

    Attributes:
        agreement: smallest share of images whose labels equal the network's.
        sensitivity: largest loss of any class's sensitivity.
        faster: smallest ratio of the float32 graph's fastest run to its own.
        runs: timed runs of each.
    """

    agreement: float = 0.99
    sensitivity: float = 0.02
    faster: float = 1.05
    runs: int = 30


@dataclass(frozen=True, kw_only=True)
class Examples:
    """What the gate judges with.

    Attributes:
        task: what the labels are.
        classes: names in the order of the logits.
        images: (N, C, S, S) of the part *calibrate*.
        labels: class numbers (N,), or (N, S, S) for masks; (N, K) of 0, 1, NaN for multi-label.
        quantise: (M, C, S, S) of the part *fit*: what the ranges of INT8 are taken from.
        control: (L, C, S, S) of the part *select*: what NNCF searches on.
        decide: fits temperature, thresholds and the rest to a model.
        compare: the task's metric of the second minus the first table of probabilities.
    """

    task: Task
    classes: tuple[str, ...]
    images: Images
    labels: NDArray[np.generic]
    quantise: Images
    control: Images
    decide: Callable[[Run], Decided]
    compare: Callable[[Array, Array], MetricChange | None]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the gate says of one variant.

    Attributes:
        refusal: why it is not published, as a clause; None if it is.
        decided: fitted on its own outputs.
        parity: against the network.
        trial: the rest.
        chances: calibrated probabilities of the images it was judged on.
    """

    refusal: str | None
    decided: Decided
    parity: Parity
    trial: Trial
    chances: Array


def runner(engine: Engine, outputs: Mapping[str, str]) -> Run:
    """Asks an engine for all its outputs, batch by batch.

    Args:
        engine: a graph.
        outputs: output name -> what it holds.
    """

    def run(images: Images) -> Mapping[str, Array]:
        starts = range(0, len(images), _BATCH)
        found = [engine.run(list(outputs), {INPUT: images[s : s + _BATCH]}) for s in starts]
        return {
            held: np.concatenate([batch[place] for batch in found]).astype(np.float64)
            for place, held in enumerate(outputs.values())
        }

    return run


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The trained network and its float32 graph, which variants are held against.

    Attributes:
        logits: of the network on the calibration images.
        decided: fitted on the network.
        engines: the float32 graph, by number of threads.
    """

    logits: Array
    decided: Decided
    engines: Mapping[int, Engine]


def judge(
    variant: Variant,
    folder: Path,
    outputs: Mapping[str, str],
    *,
    reference: Reference,
    examples: Examples,
    bounds: Bounds,
) -> Verdict:
    """Hold a variant against the network and against the clock.

    Args:
        variant: its files lie in ``folder``.
        folder: where it was made.
        outputs: output name -> what it holds.
        reference: what it is held against; the float32 graph may be held against itself.
        examples: what it is judged with.
        bounds: what it must keep.
    """
    engines = {n: open_files(folder, variant, n) for n in thread_counts()}
    run = runner(engines[max(engines)], outputs)
    decided, logits = examples.decide(run), run(examples.images)["logits"]
    chances = _chances(logits, decided, examples)
    ratio, speeds = measured(reference.engines, engines, examples.images, bounds.runs)
    files = [folder / name for name in variant.files]
    trial = Trial(
        metric=examples.compare(_chances(reference.logits, reference.decided, examples), chances),
        sensitivity=_sensitivity_changes(reference, logits, decided, examples),
        sensitivity_bound=bounds.sensitivity,
        agreement_bound=bounds.agreement,
        reference="fp32",
        ratio=ratio,
        speeds=speeds,
        memory_bytes=footprint(
            files,
            runtime=variant.runtime,
            precision=variant.precision,
            shape=examples.images.shape[1:],
            threads=max(engines),
        ),
        file_bytes=sum(file.stat().st_size for file in files),
    )
    parity = _parity(reference, logits, examples)
    refusal = _refusal(parity, trial, bounds)
    return Verdict(refusal=refusal, decided=decided, parity=parity, trial=trial, chances=chances)


def _refusal(parity: Parity, trial: Trial, bounds: Bounds) -> str | None:
    if not parity.agreement >= bounds.agreement:
        found, least = f"{parity.agreement:.1%}", f"{bounds.agreement:.0%}"
        return f"its labels agree on {found} of the images, below {least}"
    for name, change in trial.sensitivity.items():
        if change < -bounds.sensitivity:
            lost = f"{-change:.3f} lower, more than {bounds.sensitivity:g}"
            return f"its sensitivity for {name} is {lost}"
    if trial.ratio < bounds.faster:
        ratio = f"{trial.ratio:.2f} times as fast as {trial.reference}"
        return f"it runs {ratio}, below {bounds.faster:g}"
    return None


def _chances(logits: Array, decided: Decided, examples: Examples) -> Array:
    return probabilities(logits, task=examples.task, calibration=decided.calibration)


def _held(logits: Array, decided: Decided, examples: Examples) -> NDArray[np.bool_]:
    return decide(
        _chances(logits, decided, examples),
        task=examples.task,
        classes=examples.classes,
        thresholds=decided.thresholds,
    )


def _parity(reference: Reference, logits: Array, examples: Examples) -> Parity:
    """Before calibration and thresholds, which are fitted to each model and would mix in."""
    plain = [probabilities(each, task=examples.task) for each in (reference.logits, logits)]
    names = examples.classes
    held = [decide(each, task=examples.task, classes=names, thresholds={}) for each in plain]
    same = (held[0] == held[1]).all(axis=1)
    difference = float(np.abs(plain[0] - plain[1]).max())
    return Parity(
        largest_difference=difference if np.isfinite(difference) else 1.0,
        agreement=float(same.mean()),
        images=len(logits),
        bound=1.0,
    )


def _sensitivity_changes(
    reference: Reference, logits: Array, decided: Decided, examples: Examples
) -> dict[str, float]:
    network = _held(reference.logits, reference.decided, examples)
    variant = _held(logits, decided, examples)
    changes = {}
    for number, name in enumerate(examples.classes):
        if examples.task == "multi-label":
            truth = np.asarray(examples.labels)[:, number] == 1
        else:  # of masks every pixel counts
            truth = np.asarray(examples.labels) == number
        if truth.any():
            hits = [float(each[:, number][truth].mean()) for each in (network, variant)]
            changes[name] = hits[1] - hits[0]
    return changes

"""How far a variant's answers are from the trained network's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medistill.bundle.calibration import decide, probabilities
from medistill.bundle.schema import Parity
from medistill.bundle.trial import MetricChange
from medistill.export.examples import Array, Decided, Examples, Reference


@dataclass(frozen=True, kw_only=True)
class Fidelity:
    """A variant against the network, on the same images.

    Attributes:
        parity: probabilities and labels.
        metric: how the task's metric moved; None where it is undefined.
        sensitivity: variant minus network at each one's own operating point, by class name.
    """

    parity: Parity
    metric: MetricChange | None
    sensitivity: Mapping[str, float]


def fidelity(
    logits: Array, decided: Decided, *, reference: Reference, examples: Examples
) -> Fidelity:
    """Hold logits against the network's.

    Args:
        logits: of the variant on the examples' images.
        decided: fitted on the variant.
        reference: the network.
        examples: images and truth.
    """
    network = calibrated(reference.logits, reference.decided, examples)
    return Fidelity(
        parity=_parity(reference, logits, examples),
        metric=examples.compare(network, calibrated(logits, decided, examples)),
        sensitivity=_sensitivity_changes(reference, logits, decided, examples),
    )


def worst(found: Sequence[Fidelity]) -> Fidelity:
    """The worst figure of each kind; a NaN is the worst of all.

    Args:
        found: the same variant asked in several ways, at least one.
    """
    parities = [each.parity for each in found]
    moved = [each.metric for each in found if each.metric is not None]
    return Fidelity(
        parity=replace(
            parities[0],
            largest_difference=max(each.largest_difference for each in parities),
            agreement=float(np.min([each.agreement for each in parities])),
        ),
        metric=min(moved, key=lambda each: each.change, default=None),
        sensitivity={
            name: float(np.min([each.sensitivity[name] for each in found]))
            for name in found[0].sensitivity
        },
    )


def calibrated(logits: Array, decided: Decided, examples: Examples) -> Array:
    """Probabilities at a model's own temperature."""
    return probabilities(logits, task=examples.task, calibration=decided.calibration)


def _held(logits: Array, decided: Decided, examples: Examples) -> NDArray[np.bool_]:
    return decide(
        calibrated(logits, decided, examples),
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

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
        specificity: likewise, of the images (pixels of masks) without the class.
    """

    parity: Parity
    metric: MetricChange | None
    sensitivity: Mapping[str, float]
    specificity: Mapping[str, float]


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
    sensitivity, specificity = _changes(reference, logits, decided, examples)
    return Fidelity(
        parity=_parity(reference, logits, examples),
        metric=examples.compare(network, calibrated(logits, decided, examples)),
        sensitivity=sensitivity,
        specificity=specificity,
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
        sensitivity=_lowest([each.sensitivity for each in found]),
        specificity=_lowest([each.specificity for each in found]),
    )


def _lowest(changes: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.min([each[name] for each in changes])) for name in changes[0]}


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


def _changes(
    reference: Reference, logits: Array, decided: Decided, examples: Examples
) -> tuple[dict[str, float], dict[str, float]]:
    """Sensitivity and specificity by class, where the class is there, and where it is not."""
    network = _held(reference.logits, reference.decided, examples)
    variant = _held(logits, decided, examples)
    found: tuple[dict[str, float], dict[str, float]] = ({}, {})
    for number, name in enumerate(examples.classes):
        both = network[:, number], variant[:, number]
        for changes, among, right in zip(found, _members(examples, number), (1, 0), strict=True):
            if among.any():
                shares = [float((held[among] == right).mean()) for held in both]
                changes[name] = shares[1] - shares[0]
    return found


def _members(examples: Examples, number: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What is of a class and what is known not to be: images, or pixels of masks."""
    labels = np.asarray(examples.labels)
    if examples.task == "multi-label":
        return labels[:, number] == 1, labels[:, number] == 0
    known = labels < len(examples.classes)  # pixels that do not count have a higher number
    return labels == number, (labels != number) & known

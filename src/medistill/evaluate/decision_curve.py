"""Is acting on the model better than treating all or none? Decision-curve analysis.

Vickers and Elkin, "Decision Curve Analysis", Medical Decision Making 26:565 (2006): at a threshold
probability t, at which a false alarm weighs t / (1 - t) of a hit, the net benefit is
(hits - false alarms t / (1 - t)) / N.
"""

from __future__ import annotations

import numpy as np

from medistill.evaluate.arrays import Floats

THRESHOLDS = np.round(np.arange(0.01, 1.0, 0.01), 2)


def net_benefit(chances: Floats, positive: np.ndarray, thresholds: Floats = THRESHOLDS) -> Floats:
    """Net benefit of acting where the probability is at least t, shape of ``thresholds``.

    Args:
        chances: probability of the class, shape (N,).
        positive: truth, shape (N,).
        thresholds: in (0, 1).
    """
    hits = _at_least(chances[positive], thresholds)
    false = _at_least(chances[~positive], thresholds)
    return np.asarray((hits - false * thresholds / (1 - thresholds)) / positive.size)


def treat_all(positive: np.ndarray, thresholds: Floats = THRESHOLDS) -> Floats:
    """Net benefit of acting on everybody; of acting on nobody it is 0."""
    prevalence = positive.mean()
    return np.asarray(prevalence - (1 - prevalence) * thresholds / (1 - thresholds))


def useful_range(benefit: Floats, everybody: Floats) -> tuple[float, float] | None:
    """First and last threshold of the longest stretch where the model beats both, or None."""
    better = benefit > np.maximum(everybody, 0.0) + 1e-12
    edges = np.flatnonzero(np.diff(np.concatenate([[0], better.astype(int), [0]])))
    if not edges.size:
        return None
    starts, ends = edges[::2], edges[1::2]
    longest = int((ends - starts).argmax())
    return float(THRESHOLDS[starts[longest]]), float(THRESHOLDS[ends[longest] - 1])


def _at_least(values: Floats, thresholds: Floats) -> Floats:
    ordered = np.sort(values)
    return np.asarray(ordered.size - np.searchsorted(ordered, thresholds, side="left"), float)

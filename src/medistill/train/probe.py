"""Fits a probe's linear layer: logistic regression on standardised stage means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from medistill.models.probe import StageProbe

Array = NDArray[np.float64]
_SMALLEST_STD = 1e-6


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Stage means with their labels.

    Attributes:
        means: (N, D).
        labels: (N,) class indices.
    """

    means: Array
    labels: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ProbeFit:
    """What a fit came to.

    Attributes:
        penalty: the one that *select* chose.
        losses: penalty -> cross-entropy in nats on *select*.
    """

    penalty: float
    losses: dict[float, float]

    def __str__(self) -> str:
        losses = ", ".join(f"{key:g} {loss:.3f}" for key, loss in self.losses.items())
        return f"penalty {self.penalty:g} (cross-entropy on select by penalty: {losses})"


def fit_probe(
    probe: StageProbe, fit: Examples, select: Examples, penalties: Sequence[float]
) -> ProbeFit:
    """Set a probe's mean, deviation and linear layer.

    Minimises ``mean CE + penalty / 2 |W|^2`` over the linear layer for each penalty (scikit-learn's
    logistic regression, L-BFGS), and keeps the one whose cross-entropy on *select* is smallest. For
    two classes W is the difference of their rows, as usual in logistic regression.

    Args:
        probe: changed in place; its body is not.
        fit: what is learnt; every class of the probe must occur.
        select: what chooses the penalty.
        penalties: at least one, above 0.

    Raises:
        ValueError: a class of the probe does not occur in ``fit``.
    """
    if len(np.unique(fit.labels)) != probe.classes:
        raise ValueError("every class must occur among the images that a probe is fitted on")
    mean, std = fit.means.mean(axis=0), np.maximum(fit.means.std(axis=0), _SMALLEST_STD)
    found = {
        penalty: _regression((fit.means - mean) / std, fit.labels, penalty) for penalty in penalties
    }
    losses = {
        penalty: _cross_entropy(weight, bias, (select.means - mean) / std, select.labels)
        for penalty, (weight, bias) in found.items()
    }
    best = min(losses, key=lambda penalty: losses[penalty])
    _set(probe, mean, std, *found[best])
    return ProbeFit(penalty=best, losses=losses)


def _regression(inputs: Array, labels: NDArray[np.int64], penalty: float) -> tuple[Array, Array]:
    """Weight (K, D) and bias (K,); scikit-learn's C weighs a sum, ours a mean."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1 / (penalty * len(labels)), max_iter=1000)
    model.fit(inputs, labels)
    if len(model.coef_) > 1:
        return model.coef_, model.intercept_
    # Two classes have one row there: the difference of ours.
    return (
        np.concatenate([-model.coef_, model.coef_]) / 2,
        np.concatenate([-model.intercept_, model.intercept_]) / 2,
    )


def _cross_entropy(weight: Array, bias: Array, inputs: Array, labels: NDArray[np.int64]) -> float:
    logits = torch.from_numpy(inputs @ weight.T + bias)
    return float(torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels)))


def _set(probe: StageProbe, mean: Array, std: Array, weight: Array, bias: Array) -> None:
    with torch.no_grad():
        for tensor, values in (
            (probe.mean, mean),
            (probe.std, std),
            (probe.head.weight, weight),
            (probe.head.bias, bias),
        ):
            tensor.copy_(torch.from_numpy(values))

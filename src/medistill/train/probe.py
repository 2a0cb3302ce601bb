"""Fits a probe's linear layer: logistic regression on standardised stage means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from medistill.models.probe import StageProbe

Array = NDArray[np.float64]
#: Puts blocks of rows below each other, in memory or elsewhere.
Gather = Callable[[Iterator[Array]], Array]
_SMALLEST_STD = 1e-6
# Rows in memory at once.
_BLOCK = 4096


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Stage means with their labels.

    Attributes:
        means: (N, D) of any precision, in memory or mapped from a file.
        labels: (N,) class indices; of several labels an image (N, K) of 0, 1, and NaN where
            unknown.
    """

    means: NDArray[np.floating[Any]]
    labels: NDArray[np.int64] | Array

    @property
    def several(self) -> bool:
        """Whether an image has several labels."""
        return self.labels.ndim == 2


@dataclass(frozen=True, kw_only=True)
class ProbeFit:
    """What a fit came to.

    Attributes:
        penalty: the one that *select* chose.
        losses: penalty -> cross-entropy in nats on *select*, of several labels their sum.
    """

    penalty: float
    losses: dict[float, float]

    def __str__(self) -> str:
        losses = ", ".join(f"{key:g} {loss:.3f}" for key, loss in self.losses.items())
        return f"penalty {self.penalty:g} (cross-entropy on select by penalty: {losses})"


def in_memory(blocks: Iterator[Array]) -> Array:
    """Blocks of rows below each other."""
    return np.concatenate(list(blocks))


def fit_probe(
    probe: StageProbe,
    fit: Examples,
    select: Examples,
    penalties: Sequence[float],
    *,
    gather: Gather = in_memory,
) -> ProbeFit:
    """Set a probe's mean, deviation and linear layer.

    Minimises ``mean CE + penalty / 2 |W|^2`` over the linear layer for each penalty (scikit-learn's
    logistic regression, L-BFGS), and keeps the one whose cross-entropy on *select* is smallest. For
    two classes W is the difference of their rows, as usual in logistic regression. Of several
    labels each has a regression of its own, on the images of which it is known; one that is always
    yes or always no gets its share alone.

    Of N images in memory remain their labels and logits, (N, K): scikit-learn reads the means where
    ``gather`` put them (of 80,000 images of 512 numbers no copy, with ``row_file.mapped_rows``).

    Args:
        probe: changed in place; its body is not.
        fit: what is learnt; every class of the probe must occur (not every label).
        select: what chooses the penalty.
        penalties: at least one, above 0.
        gather: where the standardised means go, float64 as scikit-learn takes them.

    Raises:
        ValueError: a class of the probe does not occur in ``fit``.
    """
    if not fit.several and len(np.unique(fit.labels)) != probe.classes:
        raise ValueError("every class must occur among the images that a probe is fitted on")
    mean, std = _moments(fit.means)
    inputs, held = (
        gather((block - mean) / std for block in _blocks(examples.means))
        for examples in (fit, select)
    )
    if fit.several:
        found = {penalty: _labels(inputs, fit.labels, penalty, gather) for penalty in penalties}
    else:
        found = {penalty: _regression(inputs, fit.labels, penalty) for penalty in penalties}
    judge = _label_loss if fit.several else _cross_entropy
    losses = {
        penalty: judge(held @ weight.T + bias, select.labels)
        for penalty, (weight, bias) in found.items()
    }
    best = min(losses, key=lambda penalty: losses[penalty])
    _set(probe, mean, std, *found[best])
    return ProbeFit(penalty=best, losses=losses)


def _blocks(means: NDArray[Any]) -> Iterator[Array]:
    """All rows as float64, some at a time."""
    for start in range(0, len(means), _BLOCK):
        yield np.asarray(means[start : start + _BLOCK], np.float64)


def _moments(means: NDArray[Any]) -> tuple[Array, Array]:
    """Mean and deviation of each column, (D,) each."""
    nothing = np.zeros(means.shape[1])
    mean = sum((block.sum(axis=0) for block in _blocks(means)), nothing) / len(means)
    squares = sum((((block - mean) ** 2).sum(axis=0) for block in _blocks(means)), nothing)
    return mean, np.maximum(np.sqrt(squares / len(means)), _SMALLEST_STD)


def _regression(inputs: Array, labels: NDArray[Any], penalty: float) -> tuple[Array, Array]:
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


def _labels(
    inputs: Array, labels: NDArray[Any], penalty: float, gather: Gather
) -> tuple[Array, Array]:
    """Weight (K, D) and bias (K,), each label's from the images of which it is known."""
    weights, biases = np.zeros((labels.shape[1], inputs.shape[1])), np.zeros(labels.shape[1])
    for label, column in enumerate(labels.T):
        known = ~np.isnan(column)
        yes = column[known].astype(np.int64)
        if len(np.unique(yes)) == 2:
            weight, bias = _regression(_known(inputs, known, gather), yes, penalty)
            weights[label], biases[label] = weight[1] - weight[0], bias[1] - bias[0]
        else:
            # Half an image either way, so that what was never seen is not impossible.
            biases[label] = np.log((yes.sum() + 0.5) / ((1 - yes).sum() + 0.5))
    return weights, biases


def _known(inputs: Array, known: NDArray[np.bool_], gather: Gather) -> Array:
    """The rows that are known; not copied where all are."""
    if known.all():
        return inputs
    pairs = zip(_blocks(inputs), np.split(known, range(_BLOCK, len(known), _BLOCK)), strict=True)
    return gather(block[some] for block, some in pairs)


def _cross_entropy(logits: Array, labels: NDArray[Any]) -> float:
    return float(functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(labels)))


def _label_loss(logits: Array, labels: NDArray[Any]) -> float:
    """Sum over an image's known labels, mean over images."""
    known = ~np.isnan(labels)
    truth = torch.from_numpy(np.where(known, labels, 0))
    each = functional.binary_cross_entropy_with_logits(
        torch.from_numpy(logits), truth, reduction="none"
    )
    return float((each.numpy() * known).sum() / max(1, known.any(axis=1).sum()))


def _set(probe: StageProbe, mean: Array, std: Array, weight: Array, bias: Array) -> None:
    with torch.no_grad():
        for tensor, values in (
            (probe.mean, mean),
            (probe.std, std),
            (probe.head.weight, weight),
            (probe.head.bias, bias),
        ):
            tensor.copy_(torch.from_numpy(values))

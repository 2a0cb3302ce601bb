"""From the outputs of a graph to what is said of each image. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medistill.bundle.calibration import decide, probabilities
from medistill.bundle.conformal import class_sets, label_sets
from medistill.bundle.schema import Graph, Manifest
from medistill.bundle.trust import trust_scores
from medistill.serve.masks import area_shares, onto_picture
from medistill.serve.prediction import Prediction

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
#: Between the labels of one image.
SEPARATOR = "; "
_NOT_FINITE = "the graph gave no finite number"
_STRANGE = "It is unlike the images that the student was checked on (score {:.1f}, limit {:.1f})."


def cleaned(logits: NDArray[np.floating]) -> Array:
    """Logits in float64; NaN throughout for an image with any number that is not finite."""
    values = logits.astype(np.float64)
    values[~np.isfinite(values).reshape(len(values), -1).all(axis=1)] = np.nan
    return values


def decided(
    manifest: Manifest,
    graph: Graph,
    *,
    names: Sequence[str],
    shapes: Sequence[tuple[int, int]],
    foreign: Sequence[tuple[str, ...]],
    logits: NDArray[np.floating],
    pooled: NDArray[np.floating] | None,
) -> list[Prediction]:
    """What is said of each image of a batch.

    Args:
        manifest: of the bundle.
        graph: the graph that gave the outputs.
        names: of the images.
        shapes: height and width of the pictures, for masks.
        foreign: why each is of another kind than the student was trained on; mostly nothing.
        logits: (N, K), or (N, K, H, W) for masks; before any temperature.
        pooled: (N, D) features; None where the graph gives none.
    """
    values = cleaned(logits)
    chances = probabilities(values, task=manifest.task, calibration=graph.calibration)
    if manifest.task == "segmentation":
        said = [
            _masked(manifest, graph, name, shape, chances[row])
            for row, (name, shape) in enumerate(zip(names, shapes, strict=True))
        ]
    else:
        held = decide(
            chances, task=manifest.task, classes=manifest.classes, thresholds=graph.thresholds
        )
        said = [_said(manifest, name, chances[row], held[row]) for row, name in enumerate(names)]
    sets = _sets(manifest, graph, chances)
    trust = _trust(manifest, graph, values, pooled, foreign)
    return [_with(each, set_, warned) for each, set_, warned in zip(said, sets, trust, strict=True)]


def _said(manifest: Manifest, name: str, chances: Array, held: Flags) -> Prediction:
    if not np.isfinite(chances).all():
        return Prediction(path=name, problem=_NOT_FINITE)
    values = tuple(float(value) for value in chances)
    return Prediction(path=name, probabilities=values, label=_named(manifest.classes, held))


def _masked(
    manifest: Manifest, graph: Graph, name: str, shape: tuple[int, int], chances: Array
) -> Prediction:
    if not np.isfinite(chances).all():
        return Prediction(path=name, problem=_NOT_FINITE)
    # As in ``decide``: the class with the largest p / t; without thresholds the most probable.
    limits = np.array([graph.thresholds.get(each, 0.5) for each in manifest.classes])
    mask = onto_picture(chances / limits[:, None, None], shape, manifest.preprocessing.fit)
    shares = area_shares(mask, len(manifest.classes))
    found = np.array(shares) > 0
    found[0] &= not found[1:].any()
    label = _named(manifest.classes, found)
    return Prediction(path=name, probabilities=shares, label=label, mask=mask)


def _named(classes: Sequence[str], held: Flags) -> str:
    return SEPARATOR.join(name for name, holds in zip(classes, held, strict=True) if holds)


def _sets(manifest: Manifest, graph: Graph, chances: Array) -> Sequence[tuple[str, ...] | None]:
    """Classes that cannot be ruled out, by image; multi-label: that may be present."""
    fitted = graph.decisions.conformal
    if fitted is None or manifest.task == "segmentation":
        return [None] * len(chances)
    if manifest.task == "multi-label":
        held = label_sets(chances, fitted, manifest.classes)[..., 0]
    else:
        held = class_sets(chances, fitted, manifest.classes)
    pairs = [zip(manifest.classes, row, strict=True) for row in held]
    return [tuple(name for name, holds in pair if holds) for pair in pairs]


def _trust(
    manifest: Manifest,
    graph: Graph,
    logits: Array,
    pooled: NDArray[np.floating] | None,
    foreign: Sequence[tuple[str, ...]],
) -> Sequence[tuple[bool | None, tuple[str, ...]]]:
    """Whether each image is like the known ones, and the reasons where it is not."""
    gate = graph.decisions.trust
    if gate is None:
        return [(False if reasons else None, reasons) for reasons in foreign]
    scores = trust_scores(logits, gate, task=manifest.task, features=pooled)
    strange = (
        () if trusted else (_STRANGE.format(total, gate.threshold),)
        for trusted, total in zip(scores.trusted, scores.total, strict=True)
    )
    both = [(*kind, *scored) for kind, scored in zip(foreign, strange, strict=True)]
    return [(not reasons, reasons) for reasons in both]


def _with(
    said: Prediction,
    conformal: tuple[str, ...] | None,
    trust: tuple[bool | None, tuple[str, ...]],
) -> Prediction:
    if said.problem is not None:
        return said
    return Prediction(
        path=said.path,
        probabilities=said.probabilities,
        label=said.label,
        conformal=conformal,
        trusted=trust[0],
        reasons=trust[1],
        mask=said.mask,
    )

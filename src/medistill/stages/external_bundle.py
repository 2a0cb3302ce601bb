"""A bundle on another labelled set, with the temperature, thresholds, sets and gate it ships."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medistill.bundle.schema import Graph
from medistill.bundle.thresholds import ThresholdChoice
from medistill.core.errors import BundleError
from medistill.core.types import Task
from medistill.evaluate.decisions import Fitted
from medistill.evaluate.examined import Examined
from medistill.evaluate.grouped import Table
from medistill.evaluate.operating import Wish
from medistill.serve.predictor import Predictor
from medistill.stages.data import Prepared
from medistill.stages.decisions import ask_for
from medistill.stages.flow import other_flow
from medistill.stages.gate import run_asker, run_on_batches
from medistill.stages.judging import Judged, pool
from medistill.stages.mask_measuring import Segmenter, mask_table
from medistill.stages.provenance import bundle_origin, judged_on

NOT_FINITE = "the graph gave no finite number"
_NONE = "the bundle ships none"
_UNSAID = "the bundle does not say by which rule it chose its own"


def judged_bundle(predictor: Predictor, other: Prepared) -> Judged:
    """What a bundle says of another set, and everything that it decides by, nothing refitted.

    Images of which the graph gives no finite number are counted with those that cannot be read.

    Args:
        predictor: the bundle.
        other: the set, stored as the bundle's own images were, with labels in its order.

    Raises:
        BundleError: the graph fails, or gives a finite number of no image.
    """
    seen = predictor.bundle.manifest.preprocessing
    said = run_asker(predictor.outputs, other, seen)(range(len(other.images.samples)))
    finite = _finite(said)
    rows = np.flatnonzero(finite).tolist()
    if not rows:
        raise BundleError(
            where=predictor.bundle.path,
            what=f"{NOT_FINITE} for any image",
            cure="Export the bundle again.",
        )
    examined = Examined(
        fitted=shipped(predictor.graph, other.images.task),
        calibrate=None,
        evaluate=ask_for(other, rows, lambda some: {k: v[list(some)] for k, v in said.items()}),
    )
    silent = [other.images.samples[row].name for row in np.flatnonzero(~finite)]
    return Judged(
        images=other.images,
        predictions={"student": [_table(predictor, other, rows, examined)]},
        examined={"student": [examined]},
        wish=wish_of(predictor.graph.decisions.choice),
        flow=other_flow(other, rows, [(name, NOT_FINITE) for name in silent]),
        provenance=judged_on(bundle_origin(predictor.bundle), other),
    )


def shipped(graph: Graph, task: Task) -> Fitted:
    """What a graph decides by, with a reason for all that it ships without."""
    found, usual = graph.decisions, "each label holds from 0.5 up"
    if task != "multi-label":
        usual = "it says the most probable class"
    reasons = {}
    if found.choice is None:
        reasons["thresholds"] = _UNSAID if graph.thresholds else f"{_NONE}, {usual}"
    if found.conformal is None:
        reasons["conformal"] = _NONE
    if found.trust is None:
        reasons["trust"] = _NONE
    return Fitted(
        calibration=graph.calibration,
        thresholds=graph.thresholds,
        decisions=dataclasses.replace(found, refusals={**reasons, **found.refusals}),
    )


def wish_of(choice: ThresholdChoice | None) -> Wish | None:
    """What the shipped thresholds were chosen for."""
    if choice is None:
        return None
    return Wish(rule=choice.rule, value=choice.wished, positive=choice.positive)


def _finite(said: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
    """Whether all numbers that were given of an image are finite, (N,)."""
    flags = [np.isfinite(values).reshape(len(values), -1).all(axis=1) for values in said.values()]
    return np.asarray(np.logical_and.reduce(flags))


def _table(predictor: Predictor, other: Prepared, rows: Sequence[int], examined: Examined) -> Table:
    """Calibrated answers, or measures of masks."""
    if other.masks is None:
        return pool(other.images, [(0, rows, examined.chances(task=other.images.task))])
    model = Segmenter(
        ask=run_on_batches(predictor.outputs),
        seen=predictor.bundle.manifest.preprocessing,
        calibration=examined.fitted.calibration,
    )
    return mask_table(other, [(0, rows, model)], None)

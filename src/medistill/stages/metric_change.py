"""How far a variant moves the task's metric, with its paired interval over groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medistill.bundle.trial import MetricChange
from medistill.evaluate.bootstrap import draw_resamples
from medistill.evaluate.difference import paired_estimates
from medistill.evaluate.grouped import Table
from medistill.evaluate.label_predictions import LabelPredictions
from medistill.evaluate.mask_scores import PIXEL_SUMS, MaskScores
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.scored import score
from medistill.evaluate.segmentation import image_measures
from medistill.export.examples import Array
from medistill.stages.data import Prepared

_RESAMPLES = 1000


def metric_change(
    prepared: Prepared,
    rows: Sequence[int],
    truth: NDArray[np.generic],
    first: Array,
    second: Array,
) -> MetricChange | None:
    """The headline metric of the second minus the first model.

    AUROC; for several labels its mean over those with enough groups; Dice of the foreground for
    masks, at the student's own resolution.

    Args:
        prepared: the data.
        rows: of the store.
        truth: as the gate's examples hold it.
        first: probabilities of the network, classes on axis 1.
        second: those of the variant.

    Returns:
        None where the metric is undefined: a class is missing, or no label has enough groups.
    """
    tables = [_table(prepared, rows, truth, chances) for chances in (second, first)]
    if isinstance(tables[0], LabelPredictions) and not tables[0].counted:
        return None
    metric = tables[0].metrics[tables[0].headline]
    drawn = draw_resamples(tables[0], resamples=_RESAMPLES, seed=0)
    variant, network = score(tables, drawn, only=[metric.name])
    (found,) = paired_estimates(variant, network, metric, prepared.images.group_word)
    if found.estimate is None:
        return None
    return MetricChange(name=metric.name, change=found.estimate, low=found.low, high=found.high)


def _table(
    prepared: Prepared, rows: Sequence[int], truth: NDArray[np.generic], chances: Array
) -> Table:
    samples = [prepared.images.samples[row] for row in rows]
    names = [sample.name for sample in samples]
    groups = [sample.group for sample in samples]
    if prepared.images.task == "segmentation":
        return _mask_table(names, groups, truth.astype(np.uint8), chances)
    kind = LabelPredictions if prepared.images.task == "multi-label" else Predictions
    return kind(names=names, groups=groups, labels=truth, probabilities=chances)


def _mask_table(
    names: Sequence[str], groups: Sequence[str], truth: NDArray[np.uint8], chances: Array
) -> MaskScores:
    classes = chances.shape[1]
    found = chances.argmax(axis=1).astype(np.uint8)
    pairs = zip(found, truth, strict=True)
    overlaps = [image_measures(mine, true, classes=classes) for mine, true in pairs]
    shown = [[bool((true == value).any()) for value in range(1, classes)] for true in truth]
    # Dice does not ask how sure the model was.
    unasked = np.zeros((len(names), len(PIXEL_SUMS)))
    return MaskScores(names=names, groups=groups, present=shown, overlaps=overlaps, pixels=unasked)

"""From what models said to metrics.json, tables of predictions and the report, for every task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medistill.core.files import write_json
from medistill.core.types import ImageSet
from medistill.evaluate.comparison import evaluate
from medistill.evaluate.decision_values import decision_values
from medistill.evaluate.examined import Examined
from medistill.evaluate.grouped import Table
from medistill.evaluate.label_predictions import LabelPredictions
from medistill.evaluate.mistakes import worst_mistakes
from medistill.evaluate.operating import Wish
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.strange import StrangeSet
from medistill.evaluate.subgroups import (
    SUBGROUPS,
    Subgroup,
    columns_left_out,
    subgroups,
    write_subgroups,
)
from medistill.imaging.resize import render
from medistill.report.explained import Explained
from medistill.report.html import write_report
from medistill.report.pictures import Picture

METRICS = "metrics.json"
_PICTURE = 160

Chances = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Everything that a report is made from.

    Attributes:
        images: the images that were judged.
        predictions: for each role one table a seed.
        examined: for each role its first seed, fold by fold, with what was fitted on *calibrate*.
        wish: the operating point that is shipped.
        named: class that operating points are about, where the wish names none.
        strange: for each role what it said of images of other kinds.
        flow: how many images came, were left out, and went into each part.
        explanation: where the models look.
        pictures: of mistakes; None takes the shipped student's surest ones.
        sizes: for each role what was measured of it.
        pixels: stored image by name, for the pictures of mistakes.
        histories: learning curves by role.
        recipe: text of the recipe.
        provenance: where everything came from.
    """

    images: ImageSet
    predictions: Mapping[str, Sequence[Table]]
    examined: Mapping[str, Sequence[Examined]] = field(default_factory=dict)
    wish: Wish | None = None
    named: str | None = None
    strange: Mapping[str, Mapping[str, StrangeSet]] = field(default_factory=dict)
    flow: Mapping[str, Any] = field(default_factory=dict)
    explanation: Explained | None = None
    pictures: Sequence[Picture] | None = None
    sizes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pixels: Mapping[str, NDArray[np.uint16]] = field(default_factory=dict)
    histories: Mapping[str, Path] = field(default_factory=dict)
    recipe: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)


def pool(
    images: ImageSet, answers: Sequence[tuple[int, Sequence[int], Chances]]
) -> Predictions | LabelPredictions:
    """One table from (fold, rows, probabilities) of each fold, of labels exclusive or not."""
    samples = [images.samples[row] for _, rows, _ in answers for row in rows]
    kind = LabelPredictions if images.task == "multi-label" else Predictions
    return kind(
        names=[sample.name for sample in samples],
        groups=[sample.group for sample in samples],
        labels=np.array([sample.label for sample in samples]),
        probabilities=np.concatenate([chances for _, _, chances in answers]),
        folds=[fold for fold, rows, _ in answers for _ in rows],
    )


def judge(judged: Judged, folder: Path) -> Mapping[str, Any]:
    """Write ``metrics.json``, tables of predictions and of subgroups, and ``report.html``."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = subgroups(_attributes(judged))
    metrics = _metrics(judged, parts)
    write_json(folder / METRICS, metrics)
    tables = {}
    for role, seeds in judged.predictions.items():
        for seed, table in enumerate(seeds):
            name = f"{role}, seed {seed}" if len(seeds) > 1 else role
            tables[name] = folder / f"{name.replace(', seed ', '-')}.csv"
            table.write_csv(tables[name], judged.images.classes)
    write_subgroups(folder / SUBGROUPS, judged.predictions["student"][0].names, parts)
    write_report(
        folder,
        metrics,
        predictions=tables,
        histories=judged.histories,
        pictures=_pictures(judged),
        recipe_text=judged.recipe,
        provenance=judged.provenance,
        explanation=judged.explanation,
    )
    return metrics


def _metrics(judged: Judged, parts: Sequence[Subgroup]) -> dict[str, Any]:
    images = judged.images
    left_out = columns_left_out(_attributes(judged))
    found = evaluate(
        judged.predictions,
        classes=images.classes,
        group_word=images.group_word,
        caveats=images.caveats,
        sizes=judged.sizes,
        parts=parts,
        left_out=left_out,
    )
    decisions = decision_values(
        judged.examined,
        task=images.task,
        classes=images.classes,
        word=images.group_word,
        wish=judged.wish,
        named=judged.named,
        strange=judged.strange,
    )
    explained = judged.explanation.values if judged.explanation else None
    return {
        **found,
        "task": images.task,
        "columns_left_out": left_out,
        "decisions": decisions,
        "flow": dict(judged.flow),
        "explanation": explained,
        "provenance": dict(judged.provenance),
    }


def _attributes(judged: Judged) -> list[Mapping[str, str]]:
    """What is known of each image that was judged, by column of its table."""
    known = {sample.name: sample.attributes for sample in judged.images.samples}
    return [known[name] for name in judged.predictions["student"][0].names]


def _pictures(judged: Judged) -> Sequence[Picture]:
    """The shipped student's surest mistakes, unless others were chosen."""
    table = judged.predictions["student"][0]
    if judged.pictures is not None or not isinstance(table, Predictions | LabelPredictions):
        return judged.pictures or ()
    return [
        Picture(
            pixels=render(judged.pixels[mistake.name], size=_PICTURE, fit="pad")[0],
            caption=mistake.in_words(judged.images.classes),
            detail=mistake.name,
        )
        for mistake in worst_mistakes(table)
        if mistake.name in judged.pixels
    ]

"""External validation: a run or a bundle on another labelled set, with everything frozen."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from medistill.bundle.bundle import open_bundle
from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Plane, Task
from medistill.data.labels import labels_matrix
from medistill.data.layouts import read_data, refuse_unused_plane
from medistill.data.masks import Masks
from medistill.data.store import stored_images
from medistill.data.storing import build_store
from medistill.evaluate.examined import Examined
from medistill.evaluate.grouped import Table
from medistill.imaging.resize import Channels
from medistill.serve.predictor import Predictor
from medistill.stages.context import Context, Reporter, SilentReporter
from medistill.stages.data import Prepared, prepare_data
from medistill.stages.decisions import (
    Ask,
    ask_for,
    fit_model,
    network_asker,
    rules_of,
    teacher_asker,
)
from medistill.stages.evaluation import segmenter
from medistill.stages.external_bundle import judged_bundle
from medistill.stages.flow import other_flow
from medistill.stages.judging import METRICS, Judged, judge, pool
from medistill.stages.mask_measuring import mask_table
from medistill.stages.provenance import judged_on, made_from
from medistill.stages.run import RECIPE, open_run
from medistill.stages.sizes import sizes_of
from medistill.stages.student import open_student
from medistill.stages.teacher import open_teacher

#: So many images that were left out are named on the console.
_NAMED = 5


def evaluate(
    model: str | Path,
    *,
    data: str | Path,
    out: str | Path,
    split: str | None = None,
    layout: str | None = None,
    plane: Plane | None = None,
    reporter: Reporter | None = None,
) -> Path:
    """Evaluate on another labelled set and write ``metrics.json`` and ``report.html``.

    A run brings teacher, student and control of its first fold; a bundle its student alone.
    Nothing is fitted: weights, temperature, thresholds, prediction sets and trust gate stay as they
    are, and are judged; what a bundle ships without is named. Images that cannot be read are
    counted and named with their reasons.

    Args:
        model: run folder or bundle.
        data: any labelled set whose class names are the model's.
        out: folder of the report.
        split: only images of this published split.
        layout: name of the layout, or None to recognise it.
        plane: along which plane NIfTI volumes are cut; None takes a run's own, and axial for a
            bundle.
        reporter: where to speak; silent by default.

    Returns:
        The report.

    Raises:
        MedistillError: no such model, other classes, no image in that split, none that can be read.
    """
    speaker = reporter or SilentReporter()
    folder = Path(out)
    with tempfile.TemporaryDirectory() as cache:
        run = open_run(model, speaker) if (Path(model) / RECIPE).is_file() else None
        own = run.recipe.data.plane if run else "axial"
        images = read_data(data, layout, cache=Path(cache), plane=plane or own)
        refuse_unused_plane(images, plane or "axial")
        images = chosen_images(images, split)
        if run:
            judged = _of_run(run, images, Path(cache))
        else:
            judged = _of_bundle(Path(model), images, Path(cache), speaker)
    for line in _left_out(judged.flow):
        speaker.say(line)
    metrics = judge(judged, folder)
    speaker.say(metrics["answer"]["standing"])
    speaker.say(f"Report: {folder / 'report.html'}")
    return folder / "report.html"


def chosen_images(images: ImageSet, split: str | None) -> ImageSet:
    """The labelled images, of one split where that is asked.

    Raises:
        DataError: none is left.
    """
    masks = images.task == "segmentation"
    samples = tuple(
        sample
        for sample in images.samples
        if (sample.label, sample.mask)[masks] is not None and split in (None, sample.split)
    )
    if not samples:
        raise DataError(
            where=images.root,
            what=f"no labelled image lies in the split '{split}'",
            cure="Leave --split out, or name a split of that set.",
        )
    return dataclasses.replace(images, samples=samples)


def _of_run(context: Context, images: ImageSet, cache: Path) -> Judged:
    data = context.recipe.data
    own = prepare_data(context)
    _check_task(images, own.images.task)
    images = with_classes(images, own.images.classes)
    prepared = _prepared(
        images,
        cache,
        stored_size=data.stored_size,
        channels=data.channels,
        window=data.window,
        speaker=context.reporter,
    )
    images = prepared.images
    fold = context.folds()[0]
    teacher = open_teacher(context, own, fold)
    examined = {
        role: [
            _examined(context, own, prepared, partial(network_asker, network))
            for seed in range(context.recipe.seeds)
            for network in [open_student(context, own, fold, seed, role)]
        ]
        for role in ("student", "control")
    }
    examined["teacher"] = [_examined(context, own, prepared, partial(teacher_asker, teacher))]
    first = {role: seeds[:1] for role, seeds in examined.items()}
    return Judged(
        images=images,
        predictions=_tables(context, own, prepared, examined),
        examined=first,
        wish=rules_of(context.recipe.decide).wish,
        flow=other_flow(prepared, range(len(images.samples))),
        sizes=sizes_of(context, own, fold),
        provenance=judged_on(made_from(context, own), prepared),
    )


def _tables(
    context: Context, own: Prepared, other: Prepared, examined: Mapping[str, Sequence[Examined]]
) -> dict[str, list[Table]]:
    """What every model says of the other set: one table a seed."""
    rows, fold = range(len(other.images.samples)), context.folds()[0]
    found: dict[str, list[Table]] = {}
    for role, seeds in examined.items():
        for seed, each in enumerate(seeds):
            if other.masks is None:
                table: Table = pool(other.images, [(0, rows, each.chances(task=other.images.task))])
            else:
                model = segmenter(context, own, fold, seed, role, each)
                table = mask_table(other, [(0, rows, model)], None)
            found.setdefault(role, []).append(table)
    return found


def _examined(
    context: Context, own: Prepared, other: Prepared, asker: Callable[[Prepared], Ask]
) -> Examined:
    """A model with what the run fitted on its own *calibrate*, asked about the other set."""
    fold = context.folds()[0]
    calibrate = ask_for(own, own.parts[fold].calibrate, asker(own))
    return Examined(
        fitted=fit_model(context, own, fold, asker(own), calibrate),
        calibrate=calibrate,
        evaluate=ask_for(other, range(len(other.images.samples)), asker(other)),
    )


def _placed(
    label: int | tuple[float, ...] | None, place: Sequence[int], classes: int
) -> int | tuple[float, ...] | None:
    """A label in the model's order; labels that the set does not have are unknown."""
    if isinstance(label, int):
        return place[label]
    if label is None:
        return None
    values = [float("nan")] * classes
    for number, value in zip(place, label, strict=True):
        values[number] = value
    return tuple(values)


def _left_out(flow: Mapping[str, Any]) -> list[str]:
    """How many images were judged, and the first that were not."""
    unreadable = flow["unreadable"]
    if not unreadable:
        return [f"Judged all {flow['listed']:,} listed images."]
    more = len(unreadable) - _NAMED
    return [
        f"Judged {flow['stored']:,} of {flow['listed']:,} listed images.",
        *(f"left out: {each['name']}: {each['reason']}" for each in unreadable[:_NAMED]),
        *([f"left out: {more:,} more, named in {METRICS}"] if more > 0 else []),
    ]


def _check_task(images: ImageSet, task: Task) -> None:
    if images.task != task:
        raise DataError(
            where=images.root,
            what=f"these images are {images.task}, and the model was made for {task} ones",
            cure="Give a set with the labels that the model predicts.",
        )


def _of_bundle(path: Path, images: ImageSet, cache: Path, speaker: Reporter) -> Judged:
    predictor = Predictor(open_bundle(path))
    seen = predictor.bundle.manifest.preprocessing
    _check_task(images, predictor.bundle.manifest.task)
    other = _prepared(
        with_classes(images, predictor.classes),
        cache,
        stored_size=seen.stored_size or seen.size,
        channels=seen.channels,
        window=seen.window,
        speaker=speaker,
    )
    return judged_bundle(predictor, other)


def _prepared(
    images: ImageSet,
    cache: Path,
    *,
    stored_size: int,
    channels: Channels,
    window: str | None,
    speaker: Reporter,
) -> Prepared:
    """The other set, stored as the model's own images were."""
    store = build_store(
        images,
        cache / "store",
        stored_size=stored_size,
        window=window,
        channels=channels,
        skip_unreadable=True,
        progress=speaker.counting("Reading images"),
    )
    images = stored_images(images, store)
    masks = None
    if images.task == "segmentation":
        masks = Masks(images.samples, len(images.classes))
    return Prepared(images, store, labels_matrix(images), {}, {}, 0, masks)


def with_classes(images: ImageSet, classes: Sequence[str]) -> ImageSet:
    """The same images with labels in the model's order of classes.

    Raises:
        DataError: the set has a class that the model does not know.
    """
    unknown = sorted(set(images.classes) - set(classes))
    if unknown:
        raise DataError(
            where=images.root,
            what=f"has the class '{unknown[0]}', and the model knows {', '.join(classes)}",
            cure="Rename the classes of the set as the model calls them.",
        )
    # Masks without the last classes are numbered alike.
    if images.task == "segmentation" and images.classes != tuple(classes)[: len(images.classes)]:
        raise DataError(
            where=images.root,
            what=f"numbers its classes {', '.join(images.classes)}, and the model "
            f"{', '.join(classes)}",
            cure="Write the masks again with the model's class numbers.",
        )
    place = [list(classes).index(name) for name in images.classes]
    samples = tuple(
        dataclasses.replace(sample, label=_placed(sample.label, place, len(classes)))
        for sample in images.samples
    )
    return dataclasses.replace(images, classes=tuple(classes), samples=samples)

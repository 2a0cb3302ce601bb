"""External validation: a run or a bundle on another labelled set, with everything frozen."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from medistill.bundle.bundle import open_bundle
from medistill.core.run_folder import RECIPE
from medistill.core.types import ImageSet, Plane
from medistill.data.layouts import read_data, refuse_unused_plane
from medistill.evaluate.examined import Examined
from medistill.evaluate.grouped import Table
from medistill.serve.predictor import Predictor
from medistill.stages.context import LISTING, Context, Reporter, SilentReporter
from medistill.stages.data import Prepared
from medistill.stages.decisions import (
    Ask,
    ask_for,
    fit_model,
    network_asker,
    rules_of,
    teacher_asker,
)
from medistill.stages.evaluation import segmenter
from medistill.stages.evaluation_folder import Asked, evaluation_folder, refuse_taken
from medistill.stages.external_bundle import judged_bundle
from medistill.stages.external_images import (
    check_task,
    chosen_images,
    known_images,
    left_out,
    stored_set,
    with_classes,
)
from medistill.stages.finished import finished_data
from medistill.stages.flow import other_flow
from medistill.stages.judging import Judged, judge, pool
from medistill.stages.mask_measuring import mask_table
from medistill.stages.provenance import judged_on, made_from
from medistill.stages.run import open_run
from medistill.stages.sizes import sizes_of
from medistill.stages.student import open_student
from medistill.stages.teacher import open_teacher


def evaluate(
    model: str | Path,
    *,
    data: str | Path,
    out: str | Path | None = None,
    split: str | None = None,
    layout: str | None = None,
    plane: Plane | None = None,
    skip_unreadable: bool = False,
    reporter: Reporter | None = None,
) -> Path:
    """Evaluate on another labelled set and write ``metrics.json`` and ``report.html``.

    A run brings teacher, student and control of its first fold; a bundle its student alone.
    Nothing is fitted: weights, temperature, thresholds, prediction sets and trust gate stay as they
    are, and are judged; what a bundle ships without is named. Images that cannot be read are
    counted and named with their reasons. The report appears as a whole, and takes the place of
    nothing but an earlier one of the same model on the same set.

    Args:
        model: run folder or bundle.
        data: any labelled set whose class names are the model's; one of them is enough.
        out: folder of the report; None for ``MODEL-on-DATA[-SPLIT]-evaluation`` here.
        split: only images of this published split.
        layout: name of the layout, or None to recognise it.
        plane: along which plane NIfTI volumes are cut; None takes a run's own, and axial for a
            bundle.
        skip_unreadable: judge the others where images cannot be read, instead of none.
        reporter: where to speak; silent by default.

    Returns:
        The report.

    Raises:
        MedistillError: no such model, other classes, no image in that split, an image that cannot
            be read, or a folder that holds something else.
    """
    speaker = reporter or SilentReporter()
    asked = Asked(model=Path(model), data=str(data), split=split, layout=layout, plane=plane)
    folder = asked.folder if out is None else Path(out)
    refuse_taken(folder, asked)
    with tempfile.TemporaryDirectory() as cache:
        run = open_run(model, speaker) if (Path(model) / RECIPE).is_file() else None
        own = run.recipe.data.plane if run else "axial"
        # A set of positives alone tells the sensitivity: its classes are the model's.
        images = read_data(
            data,
            layout,
            cache=Path(cache),
            plane=plane or own,
            least_classes=1,
            progress=speaker.counting(LISTING),
        )
        refuse_unused_plane(images, plane or "axial")
        images = chosen_images(images, split)
        if run:
            judged = _of_run(run, images, Path(cache), skip_unreadable)
        else:
            judged = _of_bundle(Path(model), images, Path(cache), skip_unreadable, speaker)
    for line in left_out(judged.flow):
        speaker.say(line)
    with evaluation_folder(folder, asked) as place:
        metrics = judge(judged, place)
    speaker.say(metrics["answer"]["standing"])
    speaker.say(f"Report: {folder / 'report.html'}")
    return folder / "report.html"


def _of_run(context: Context, images: ImageSet, cache: Path, skip_unreadable: bool) -> Judged:
    data = context.recipe.data
    own = finished_data(context)
    check_task(images, own.images.task)
    images = with_classes(images, own.images.classes)
    prepared = stored_set(
        images,
        cache,
        stored_size=data.stored_size,
        channels=data.channels,
        window=data.window,
        speaker=context.reporter,
        skip_unreadable=skip_unreadable,
    )
    fold = context.folds()[0]
    known = known_images(own, fold, prepared)
    for caveat in known:
        context.reporter.say(f"Caution: {caveat}")
    images = replace(prepared.images, caveats=(*known, *prepared.images.caveats))
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
        named=context.recipe.decide.positive,
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


def _of_bundle(
    path: Path, images: ImageSet, cache: Path, skip_unreadable: bool, speaker: Reporter
) -> Judged:
    predictor = Predictor(open_bundle(path))
    seen = predictor.bundle.manifest.preprocessing
    check_task(images, predictor.bundle.manifest.task)
    other = stored_set(
        with_classes(images, predictor.classes),
        cache,
        stored_size=seen.stored_size or seen.size,
        channels=seen.channels,
        window=seen.window,
        speaker=speaker,
        skip_unreadable=skip_unreadable,
    )
    return judged_bundle(predictor, other)

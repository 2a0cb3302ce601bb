"""How many images of other kinds the trust gate of a finished run, or of a bundle, stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medistill.bundle.bundle import open_bundle
from medistill.core.errors import DataError
from medistill.core.files import write_json
from medistill.core.run_folder import RECIPE
from medistill.evaluate.shares import clusters, share
from medistill.evaluate.strange import strange_values
from medistill.report.decision_tables import strange_grid
from medistill.report.grids import grid_lines
from medistill.serve.inputs import find_inputs
from medistill.serve.predictor import Predictor
from medistill.stages.context import Reporter
from medistill.stages.decisions import examine, network_asker
from medistill.stages.finished import finished_data
from medistill.stages.run import open_run
from medistill.stages.strange import evenly, network_answers, strange_sets
from medistill.stages.student import open_student

RESULT = "strange.json"


def try_gate(
    model: str | Path,
    *,
    near: Sequence[Path] = (),
    far: Sequence[Path] = (),
    known: Path | None = None,
    out: Path | None = None,
    reporter: Reporter,
) -> dict[str, Any]:
    """Ask the shipped student about images that are not of its kind.

    A run brings its known images (*evaluate*), spoils them in three ways, and adds phantoms; a
    bundle is asked about the given folders alone, and about ``known`` for its false alarms.

    Args:
        model: a run whose student is trained, or a bundle.
        near: folders of images of the same modality; at most 200 of each are asked.
        far: folders of images of another kind.
        known: for a bundle, a folder of images as it was made for.
        out: folder for ``strange.json``; None writes nothing.
        reporter: where to speak.

    Returns:
        As ``evaluate.strange.strange_values``.

    Raises:
        DataError: a folder without readable images, a model without a gate, or nothing to ask.
    """
    is_run = (Path(model) / RECIPE).is_file()
    found = _of_run(model, near, far, reporter) if is_run else _of_bundle(model, near, far, known)
    if "sets" not in found:
        raise DataError(
            where=model,
            what=f"has no trust gate: {found['reason']}",
            cure="Give the calibration part more groups.",
        )
    for line in grid_lines(strange_grid(found)):
        reporter.say(line)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_json(out / RESULT, found)
    return found


def _of_run(
    model: str | Path, near: Sequence[Path], far: Sequence[Path], reporter: Reporter
) -> dict[str, Any]:
    context = open_run(model, reporter)
    prepared, fold = finished_data(context), context.folds()[0]
    network = open_student(context, prepared, fold, 0, "student")
    known = examine(context, prepared, fold, network_asker(network, prepared))
    images = prepared.images
    sets = {
        name: network_answers(network, *each)
        for name, each in strange_sets(context, prepared, fold, near=near, far=far)
    }
    return strange_values(known, sets, task=images.task, word=images.group_word)


def _of_bundle(
    model: str | Path, near: Sequence[Path], far: Sequence[Path], known: Path | None
) -> dict[str, Any]:
    predictor = Predictor(open_bundle(Path(model)))
    gate = predictor.graph.decisions.trust
    if gate is None:
        return {"reason": predictor.graph.decisions.refusals.get("trust", "not fitted")}
    if not (near or far):
        raise DataError(
            where=model, what="a bundle brings no images", cure="Give --near or --far folders."
        )
    pairs = [(folder, True) for folder in near] + [(folder, False) for folder in far]
    return {
        "allowed": gate.false_alarms,
        "with_features": gate.features is not None,
        "false_alarms": _stopped(predictor, known)["caught"] if known is not None else None,
        "sets": {
            folder.name: {"near": is_near, **_stopped(predictor, folder)}
            for folder, is_near in pairs
        },
    }


def _stopped(predictor: Predictor, folder: Path) -> Mapping[str, Any]:
    """How many of a folder's readable images and slices are not trusted; each is a group."""
    asked = evenly(list(find_inputs([folder])))
    said = [each.trusted for each in predictor.predict_inputs(asked) if each.problem is None]
    if not said:
        raise DataError(where=folder, what="holds no readable image", cure="Name another folder.")
    stopped = np.array([trusted is False for trusted in said])
    drawn = clusters([str(number) for number in range(len(said))], word="image")
    return {"images": len(said), "caught": share(stopped, None, drawn).to_json(), "auroc": {}}

"""Runs a finished run again and says what came out the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medistill.core.errors import RunFolderError
from medistill.core.files import write_json
from medistill.core.run_folder import read_record
from medistill.recipe import Recipe
from medistill.stages.context import Reporter, SilentReporter
from medistill.train.settings import TrainSettings

PROMISE = (
    "Bit-identical weights are promised by --exact on the same machine with the same number of "
    "threads and the same library versions. Elsewhere other kernels round differently, and weights "
    "drift apart within a few steps; figures then agree within their intervals at best."
)
_COMPARED = ("recipe", "data", "teacher", "weights", "versions", "hardware")


def exact_recipe(recipe: Recipe) -> Recipe:
    """The recipe with deterministic kernels in every training of it."""
    teacher, own = recipe.teacher, recipe.predistil
    base = teacher.predistil
    return dataclasses.replace(
        recipe,
        train=_exact(recipe.train),
        teacher=dataclasses.replace(
            teacher,
            fit=teacher.fit and _exact(teacher.fit),
            predistil=base and dataclasses.replace(base, train=_exact(base.train)),
        ),
        predistil=own and dataclasses.replace(own, train=_exact(own.train)),
    )


def _exact(train: TrainSettings) -> TrainSettings:
    return dataclasses.replace(train, exact=True)


def reproduce(
    out_of: str | Path, *, out: str | Path | None = None, reporter: Reporter | None = None
) -> int:
    """Run a run's own recipe again in another folder, up to its evaluation, and compare.

    Args:
        out_of: the finished run.
        out: folder of the second run; by default beside the first, ending in ``-reproduced``.
        reporter: where to speak; silent by default.

    Returns:
        0 where all weights are bit-identical, 1 where they are not (``reproduction.json`` in the
        second folder says what differs).

    Raises:
        RunFolderError: the run is not finished, or its evaluation is not of the models that it
            holds now.
        MedistillError: what running it again finds wrong, for example missing images.
    """
    # Here, because a run asks this module for its exact recipe.
    from medistill.stages.doubt import refuse_doubtful
    from medistill.stages.run import open_run, run

    speaker = reporter or SilentReporter()
    first = open_run(out_of, speaker)
    before = provenance(first.run.path)
    refuse_doubtful(first.run.path)
    path = first.run.path.resolve()
    second = Path(out) if out is not None else path.with_name(f"{path.name}-reproduced")
    if second.resolve() == path:
        raise RunFolderError(
            where=second, what="is the run itself", cure="Choose another folder with --out."
        )
    # What is compared does not hang on the export, whose gate takes the longest.
    after = provenance(run(first.recipe, out=second, reporter=speaker, ship=False))
    found = differing(before, after)
    write_json(second / "reproduction.json", found)
    for sentence in in_words(found, exact=first.recipe.train.exact):
        speaker.say(sentence)
    return 0 if found["weights"]["same"] else 1


def provenance(run: Path) -> Mapping[str, Any]:
    """Where a finished run came from, as its evaluation wrote it.

    Raises:
        RunFolderError: there is no evaluation that says it.
    """
    path = run / "evaluation" / "metrics.json"
    document = read_record(path) if path.is_file() else {}
    found: Mapping[str, Any] | None = document.get("provenance")
    if not found or "weights" not in found:
        raise RunFolderError(
            where=run,
            what="holds no finished evaluation that names its weights",
            cure="Finish it with 'medistill run' and the same --out; it resumes.",
        )
    headline = document["headline"]
    figure = document["models"]["student"]["overall"][headline]["estimate"]
    return {**found, "figure": figure, "headline": headline}


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What is the same in both, and both values of what is not."""
    found: dict[str, Any] = {}
    for key in _COMPARED:
        same = before.get(key) == after.get(key)
        pair = {"first": before.get(key), "second": after.get(key)}
        found[key] = {"same": same, **({} if same else pair)}
    figures = {"first": before["figure"], "second": after["figure"]}
    found["figure"] = {"same": before["figure"] == after["figure"], **figures}
    return found


def in_words(found: Mapping[str, Any], *, exact: bool) -> list[str]:
    """Sentences for the user, the outcome first."""
    figures = found["figure"]
    said = [
        "Reproduced: every weight is bit-identical."
        if found["weights"]["same"]
        else "Not bit-identical: the weights of student or control differ.",
        f"Headline of the student: {figures['first']} before, {figures['second']} now.",
    ]
    changed = [
        key
        for key in ("recipe", "data", "teacher", "versions", "hardware")
        if not found[key]["same"]
    ]
    if changed:
        said.append(f"Also different: {', '.join(changed)}; reproduction.json has both values.")
    if not exact and not found["weights"]["same"]:
        said.append("The run was not made with --exact.")
    return [*said, PROMISE]

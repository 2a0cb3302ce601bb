"""The check: alone as a command, and before every training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medistill.check.copies import together
from medistill.check.examine import examine, refuse_fatal
from medistill.check.finding import Finding
from medistill.check.measure import Stored
from medistill.check.repair import write_proposal
from medistill.check.sheet import HTML, write_sheets
from medistill.check.subject import Subject
from medistill.check.survey import Survey, survey
from medistill.core.errors import DataError
from medistill.core.run_folder import read_record
from medistill.core.types import ImageSet, Parts, Plane
from medistill.data.layouts import LAYOUTS, read_data, refuse_unused_plane
from medistill.stages.context import LISTING, Reporter, SilentReporter
from medistill.stages.unlabelled import is_labelled

if TYPE_CHECKING:  # the recipe's blocks bring torch, which checking data does not need
    from medistill.recipe import DataBlock

PROPOSAL = "proposed-parts.csv"
_SIGNS = {"fatal": "FATAL  ", "warning": "warning", "note": "note   "}


def check(
    data: str | Path,
    *,
    out: str | Path,
    layout: str | None = None,
    window: str | None = None,
    plane: Plane = "axial",
    teacher: str | Path | None = None,
    workers: int = 0,
    reporter: Reporter | None = None,
) -> tuple[Finding, ...]:
    """Check a set and write check.json, check.html and, where it can, proposed parts.

    Args:
        data: path, or a specification as for a run.
        out: folder to write to, outside of the data; it also keeps what a second check reads.
        layout: name of the layout, or None to recognise it.
        window: gray scale of CT, or None for what each file declares.
        plane: along which plane NIfTI volumes are cut.
        teacher: run folder whose teacher is to be used on these images.
        workers: processes that read images.
        reporter: where to speak.

    Returns:
        Every finding, the gravest first.

    Raises:
        DataError: no data, no volumes for the plane, or ``out`` lies in them, or beside a table.
    """
    speaker, folder = reporter or SilentReporter(), Path(out)
    _refuse_inside(folder, data)
    seen = None if teacher is None else _teacher(Path(teacher))
    cache = folder / "cache"
    images = read_data(
        data, layout, cache=cache, workers=workers, plane=plane, progress=speaker.counting(LISTING)
    )
    _refuse_among(folder, images)
    refuse_unused_plane(images, plane)
    speaker.say(_layout(images))
    facts = survey(
        images.samples,
        cache=cache,
        window=window,
        stored=None if seen is None else seen[0],
        workers=workers,
        progress=speaker.counting("Reading images"),
    )
    fitted_on = None if seen is None else seen[1]
    subject = Subject(images=images, facts=facts, parts=_published(images), fitted_on=fitted_on)
    found = examine(subject)
    write_sheets(subject, found, folder, window=window)
    _say(speaker, images, found)
    _propose(speaker, subject, folder)
    return found


def _layout(images: ImageSet) -> str:
    looks = LAYOUTS[images.name].looks if images.name in LAYOUTS else "drawn"
    return f"layout: {images.name} ({looks})"


def _published(images: ImageSet) -> dict[str, str]:
    return {sample.name: sample.split for sample in images.samples if sample.split}


def noting(images: ImageSet, block: DataBlock, folder: Path) -> Survey:
    """Facts to be noted while the images are stored; they lie in the folder, not in memory."""
    return Survey(images.samples, cache=folder, window=block.window)


def subject_before_training(images: ImageSet, noted: Survey) -> Subject:
    """The labelled images of a set with their facts, before parts are cut."""
    labelled = tuple(filter(is_labelled, images.samples))
    facts = noted.facts().only(sample.name for sample in labelled)
    judged = dataclasses.replace(images, samples=labelled)
    return Subject(images=judged, facts=facts, parts={})


def with_copies_together(images: ImageSet, subject: Subject) -> ImageSet:
    """The set in which no guessed group parts a labelled picture from its copies."""
    if not any(sample.guessed for sample in subject.images.samples):
        return images
    moved = {sample.name: sample for sample in together(subject).samples}
    samples = tuple(moved.get(sample.name, sample) for sample in images.samples)
    return dataclasses.replace(images, samples=samples)


def check_before_training(
    images: ImageSet,
    labelled: Subject,
    parts: Mapping[int, Parts],
    block: DataBlock,
    folder: Path,
    speaker: Reporter,
) -> None:
    """Check what a run is about to train on; fatal findings that are not allowed stop it.

    Args:
        images: the set, in the order to which the parts refer.
        labelled: its labelled images, whose copies are not looked for again.
        parts: parts of each fold.
        block: the recipe's block.
        folder: where check.json and check.html go.
        speaker: where to speak.

    Raises:
        DataError: a fatal finding.
        UnknownNameError: ``data.allow`` names none.
    """
    refuse_fatal((), where=images.root, allow=block.allow)
    held = {row for cut in parts.values() for rows in cut.named().values() for row in rows}
    part = _part_names(images, parts)
    judged = dataclasses.replace(images, samples=tuple(images.samples[row] for row in sorted(held)))
    known = labelled.near_copies
    subject = Subject(images=judged, facts=labelled.facts, parts=part, known=known)
    found = examine(subject)
    write_sheets(subject, found, folder, window=block.window)
    for finding in found:
        if finding.severity != "note":
            said = f"check: {finding.severity}: {finding.text} [{finding.check}]. {finding.cure}"
            speaker.say(said.rstrip())
    refuse_fatal(found, where=images.root, allow=block.allow)


def _part_names(images: ImageSet, parts: Mapping[int, Parts]) -> dict[str, str]:
    """Part of each image; under K-fold the fold in which it is evaluated."""
    if len(parts) == 1:
        named = next(iter(parts.values())).named()
        return {images.samples[row].name: part for part, rows in named.items() for row in rows}
    return {
        images.samples[row].name: f"fold {fold}"
        for fold, cut in parts.items()
        for row in cut.evaluate
    }


def _say(speaker: Reporter, images: ImageSet, found: Sequence[Finding]) -> None:
    for caveat in images.caveats:
        speaker.say(f"caveat   {caveat}")
    for finding in found:
        speaker.say(f"{_SIGNS[finding.severity]}  {finding.check}: {finding.text}")
        if finding.cure:
            speaker.say(f"         {finding.cure}")


def _propose(speaker: Reporter, subject: Subject, folder: Path) -> None:
    why = write_proposal(subject, folder / PROPOSAL)
    proposal = f"no parts can be proposed: {why}" if why else f"parts: {folder / PROPOSAL}"
    speaker.say(f"pictures: {folder / HTML}; {proposal}")


def _refuse_inside(folder: Path, data: str | Path) -> None:
    """Refuse to write into a folder of data, or among the files beside a table or a set's file."""
    root = Path(data)
    if root.is_dir():
        _refuse_below(folder.resolve(), root)
    elif root.exists() and folder.resolve() == root.parent.resolve():
        raise _in_the_data(folder, root.parent)


def _refuse_among(folder: Path, images: ImageSet) -> None:
    """Refuse to write below a folder of images, wherever a table or a link says it is."""
    real = folder.resolve()
    for place in sorted({sample.path.parent for sample in images.samples}):
        _refuse_below(real, place)


def _refuse_below(folder: Path, place: Path) -> None:
    if folder.is_relative_to(place.resolve()):
        raise _in_the_data(folder, place)


def _in_the_data(folder: Path, place: Path) -> DataError:
    return DataError(
        where=folder,
        what=f"lies in the data, where nothing is ever written ({place})",
        cure="Name a folder elsewhere with --out.",
    )


def _teacher(run: Path) -> tuple[Stored, frozenset[str]]:
    """Form of the stored images of a run, and the hashes of those that its teacher saw."""
    found: list[Mapping[str, Any]] = []
    for path in sorted(run.glob("**/teacher/manifest.json")):
        found.append(read_record(path)["outputs"])
    if not found:
        raise DataError(
            where=run, what="holds no fitted teacher", cure="Name the folder of a run (--teacher)."
        )
    index = read_record(run / "data" / "store" / "index.json")
    hashes = frozenset(name for outputs in found for name in outputs["fitted_on"])
    return Stored(int(index["stored_size"]), index["channels"]), hashes

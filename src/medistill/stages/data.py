"""Data stage: read a layout, decode each image once, cut the parts."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medistill.core.errors import DataError
from medistill.core.files import read_json, write_json
from medistill.core.types import PART_NAMES, ImageSet, Parts, Sample
from medistill.data.labels import label_of, labels_matrix, plain_label
from medistill.data.layouts import read_data, refuse_unused_plane
from medistill.data.masks import Masks
from medistill.data.parts import conflicting_rows
from medistill.data.remembered import RememberedViews
from medistill.data.store import INDEX, PIXELS, Store, open_store, stored_images
from medistill.data.storing import build_store
from medistill.data.unlabelled import read_unlabelled
from medistill.recipe import DataBlock
from medistill.stages.check import (
    check_before_training,
    noting,
    subject_before_training,
    with_copies_together,
)
from medistill.stages.context import LISTING, Context, Reporter
from medistill.stages.cutting import cut_parts, refuse_uncuttable, unused_split
from medistill.stages.sources import elsewhere, fingerprint, unchanged
from medistill.stages.stage_means import StageMeans
from medistill.stages.unlabelled import (
    Unlabelled,
    copies_of_labelled,
    is_labelled,
    usable_unlabelled,
)

STAGE = "data"
_IMAGES, _PARTS, _ELSEWHERE = "images.json", "parts.json", "elsewhere.json"
#: Folder of the stage when its images were listed: what lies in it moves with it.
_WRITTEN_IN = "written_in"


@dataclass(frozen=True)
class Prepared:
    """The finished data stage.

    Attributes:
        images: what was stored; row numbers are those of the store.
        store: decoded pixels.
        labels: (N, C) float32 class probabilities, NaN rows where unlabelled.
        parts: the four parts of each fold.
        unlabelled: images without labels, as each fold may use them.
        masks: masks by row, for segmentation; else None.
        removed: training images left out because their group lies in the evaluation part.
        views: rendered views that are kept for the next training.
        stage_means: by body and views, what a body that keeps its weights said in an earlier fold.
    """

    images: ImageSet
    store: Store
    labels: NDArray[np.float32]
    parts: Mapping[int, Parts]
    unlabelled: Mapping[int, Unlabelled]
    removed: int
    masks: Masks | None = None
    views: RememberedViews = field(default_factory=RememberedViews, repr=False)
    stage_means: dict[str, StageMeans] = field(default_factory=dict, repr=False)


def prepare_data(context: Context) -> Prepared:
    """Run the data stage, or open it when its inputs have not changed."""
    block = context.recipe.data
    inputs, folder = _inputs(block), context.run.stage(STAGE)
    current = context.run.is_current(STAGE, inputs) and _knows_copies(folder)
    if not current or not _listed_are_unchanged(folder):
        _write(context, inputs)
    return open_data(folder)


def _knows_copies(folder: Path) -> bool:
    """Whether copies among images without labels were looked for: early runs trained on them."""
    if "copies" in read_json(folder / _PARTS):
        return True
    return all(is_labelled(sample) for sample in _load(folder / _IMAGES).samples)


def _listed_are_unchanged(folder: Path) -> bool:
    """Whether files that a table lists outside its own folder are as they were."""
    file = folder / _ELSEWHERE
    return not file.is_file() or unchanged(read_json(file))


def _inputs(block: DataBlock) -> dict[str, Any]:
    if block.path is None:
        raise nothing_named()
    settings = data_settings(block)
    if block.plane == "axial":  # as it was before there was a choice
        del settings["plane"]
    return {
        "settings": settings,
        "source": fingerprint(block.path),
        "unlabelled": fingerprint(block.unlabelled) if block.unlabelled else None,
    }


def data_settings(block: DataBlock) -> dict[str, Any]:
    """What decides about the data stage, beside the images themselves."""
    settings = dataclasses.asdict(block)
    for key in ("fold", "workers"):
        del settings[key]
    return settings


def nothing_named() -> DataError:
    """What is wrong with a recipe that names no images."""
    return DataError(
        where="data.path", what="no images were named", cure="Give --data PATH (or phantom)."
    )


def _write(context: Context, inputs: Mapping[str, Any]) -> None:
    block, reporter = context.recipe.data, context.reporter
    with context.run.writing(STAGE, inputs) as stage:
        images = _read(block, stage.folder, reporter)
        refuse_uncuttable(images, block)
        noted = noting(images, block, stage.folder / "check" / "facts")
        store = build_store(
            images,
            stage.folder / "store",
            stored_size=block.stored_size,
            channels=block.channels,
            window=block.window,
            skip_unreadable=block.skip_unreadable,
            progress=reporter.counting("Reading images"),
            workers=block.workers,
            watch=noted.watch(),
        )
        images = stored_images(images, store)
        labelled = subject_before_training(images, noted)
        images = with_copies_together(images, labelled)
        parts = cut_parts(images, block)
        check_before_training(images, labelled, parts, block, stage.folder / "check", reporter)
        known = [str(stage.folder), *filter(None, (block.path, block.unlabelled))]
        write_json(stage.folder / _ELSEWHERE, elsewhere(images, known))
        _save(stage.folder / _IMAGES, images)
        write_json(
            stage.folder / _PARTS,
            {
                "removed": _removed(images) if block.folds == 1 else 0,
                "copies": copies_of_labelled(images, noted.facts()),
                "folds": {str(k): p.named() for k, p in parts.items()},
            },
        )
        stage.needed.extend([_IMAGES, _PARTS, f"store/{INDEX}", f"store/{PIXELS}"])
        _save_table(stage.folder / "parts.csv", images, parts)
        stage.outputs.update(data_hash=store.data_hash, images=len(store), layout=images.name)
        for name, reason in store.skipped:
            reporter.say(f"left out: {name}: {reason}")


def _read(block: DataBlock, folder: Path, reporter: Reporter) -> ImageSet:
    workers = block.workers
    images = read_data(
        str(block.path),
        layout=block.layout,
        cache=folder / "drawn",
        workers=workers,
        plane=block.plane,
        progress=reporter.counting(LISTING),
    )
    refuse_unused_plane(images, block.plane)
    if block.unlabelled is None:
        return images
    cache = folder / "drawn-unlabelled"
    extra = read_unlabelled(block.unlabelled, cache=cache, workers=workers)
    return dataclasses.replace(images, samples=(*images.samples, *extra))


def _removed(images: ImageSet) -> int:
    """Labelled images that the published split leaks."""
    return sum(is_labelled(images.samples[row]) for row in conflicting_rows(images))


def _moved(images: ImageSet, before: Path, now: Path) -> ImageSet:
    """The images where they are found once the stage's folder has moved: drawn ones move too."""

    def place(path: Path | None) -> Path | None:
        inside = path is not None and path.is_relative_to(before)
        return now / path.relative_to(before) if path is not None and inside else path

    samples = tuple(
        dataclasses.replace(sample, path=place(sample.path) or sample.path, mask=place(sample.mask))
        for sample in images.samples
    )
    return dataclasses.replace(images, root=place(images.root) or images.root, samples=samples)


def _save(path: Path, images: ImageSet) -> None:
    value = {**dataclasses.asdict(images), _WRITTEN_IN: str(path.parent)}
    value["root"] = str(images.root)
    for sample in value["samples"]:
        sample["path"] = str(sample["path"])
        sample["mask"] = None if sample["mask"] is None else str(sample["mask"])
        sample["attributes"] = dict(sample["attributes"])
        sample["label"] = plain_label(sample["label"])
    write_json(path, value)


def _save_table(path: Path, images: ImageSet, parts: Mapping[int, Parts]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["fold", "part", "path", "group"])
        for fold, cut in parts.items():
            for part, rows in cut.named().items():
                for row in rows:
                    sample = images.samples[row]
                    writer.writerow([fold, part, sample.name, sample.group])


def open_data(folder: Path) -> Prepared:
    """Open a finished data stage."""
    images, saved = _load(folder / _IMAGES), read_json(folder / _PARTS)
    caveats = (*images.caveats, *unused_split(images, len(saved["folds"])))
    images = dataclasses.replace(images, caveats=caveats)
    store = open_store(folder / "store")
    copies = {int(row): rows for row, rows in saved.get("copies", {}).items()}
    parts = {
        int(fold): Parts(**{part: tuple(rows[part]) for part in PART_NAMES})
        for fold, rows in saved["folds"].items()
    }
    return Prepared(
        images=images,
        store=store,
        labels=labels_matrix(images),
        parts=parts,
        unlabelled={
            fold: usable_unlabelled(images, store.hashes, cut, copies)
            for fold, cut in parts.items()
        },
        removed=saved["removed"],
        masks=Masks(images.samples, len(images.classes)) if images.task == "segmentation" else None,
    )


def _load(path: Path) -> ImageSet:
    value = dict(read_json(path))
    value["root"] = Path(value["root"])
    value["classes"] = tuple(value["classes"])
    value["caveats"] = tuple(value["caveats"])
    value["samples"] = tuple(_load_sample(dict(sample)) for sample in value["samples"])
    # Early runs named drawn images where they were to lie, and did not say in which folder.
    written_in = value.pop(_WRITTEN_IN, None)
    images = ImageSet(**value)
    return _moved(images, Path(written_in), path.parent) if written_in else images


def _load_sample(value: dict[str, Any]) -> Sample:
    value["path"] = Path(value["path"])
    value["mask"] = None if value["mask"] is None else Path(value["mask"])
    value["label"] = label_of(value["label"])
    return Sample(**value)

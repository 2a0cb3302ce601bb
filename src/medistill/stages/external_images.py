"""Images of another set, as a model that knows nothing of them is given them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medistill.core.errors import DataError
from medistill.core.types import ImageSet, Task
from medistill.data.labels import labels_matrix
from medistill.data.masks import Masks
from medistill.data.store import stored_images
from medistill.data.storing import build_store
from medistill.imaging.resize import Channels
from medistill.stages.context import Reporter
from medistill.stages.data import Prepared
from medistill.stages.judging import METRICS

#: So many images that were left out are named on the console.
_NAMED = 5


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


def check_task(images: ImageSet, task: Task) -> None:
    """Refuse a set whose labels are of another kind than the model's.

    Raises:
        DataError: they are.
    """
    if images.task != task:
        raise DataError(
            where=images.root,
            what=f"these images are {images.task}, and the model was made for {task} ones",
            cure="Give a set with the labels that the model predicts.",
        )


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


def stored_set(
    images: ImageSet,
    cache: Path,
    *,
    stored_size: int,
    channels: Channels,
    window: str | None,
    speaker: Reporter,
    skip_unreadable: bool,
) -> Prepared:
    """The other set, stored as the model's own images were.

    Raises:
        DataError: images cannot be read and may not be skipped, or none can be read.
    """
    store = build_store(
        images,
        cache / "store",
        stored_size=stored_size,
        window=window,
        channels=channels,
        skip_unreadable=skip_unreadable,
        progress=speaker.counting("Reading images"),
    )
    images = stored_images(images, store)
    masks = None
    if images.task == "segmentation":
        masks = Masks(images.samples, len(images.classes))
    return Prepared(images, store, labels_matrix(images), {}, {}, 0, masks)


def known_images(own: Prepared, fold: int, other: Prepared) -> tuple[str, ...]:
    """A caveat if a fold's models learnt from images of the other set, or were chosen by them.

    Args:
        own: the run's data.
        fold: whose models are judged; its *evaluate* part alone is new to them.
        other: the other set, stored in the same form.
    """
    new = set(own.parts[fold].evaluate)
    known = {content for row, content in enumerate(own.store.hashes) if row not in new}
    count = sum(content in known for content in other.store.hashes)
    if not count:
        return ()
    return (
        f"{count:,} of {len(other.store.hashes):,} images are among those that this run learnt "
        "from, chose its models by or calibrated them with: they say nothing of new images.",
    )


def left_out(flow: Mapping[str, Any]) -> list[str]:
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

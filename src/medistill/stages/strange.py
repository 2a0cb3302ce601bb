"""What models say of images that are not of their kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from medistill.bundle.trust import POOLED
from medistill.core.errors import DataError, MissingExtraError
from medistill.data.phantom.drawing import draw_phantom
from medistill.evaluate.strange import StrangeSet
from medistill.imaging.resize import render, to_stored
from medistill.models.network import Network
from medistill.serve.inputs import find_inputs
from medistill.serve.volumes import InputReader
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.prediction import answer_batches
from medistill.stages.student import open_student
from medistill.stages.teacher import open_teacher

MOST = 200
PHANTOMS = 60
BATCH = 32
Stored = NDArray[np.uint16]
Item = TypeVar("Item")
FULL = float(np.iinfo(np.uint16).max)


def inverted(pixels: Stored) -> Stored:
    """Black for white, as a forgotten MONOCHROME1."""
    return np.asarray(FULL - pixels, dtype=np.uint16)


def wrong_window(pixels: Stored) -> Stored:
    """Only the darkest fifth of the grey scale, as another CT window would show."""
    return np.asarray(np.minimum(pixels.astype(np.float64) * 5, FULL), dtype=np.uint16)


def shuffled(pixels: Stored) -> Stored:
    """The four quarters exchanged crosswise: the same grey values, no anatomy."""
    rows, columns = (side // 2 for side in pixels.shape[:2])
    return np.roll(pixels, (rows, columns), axis=(0, 1))


SPOILED: Mapping[str, Callable[[Stored], Stored]] = {
    "inverted": inverted,
    "wrong window": wrong_window,
    "quarters exchanged": shuffled,
}


def strange_answers(
    context: Context, prepared: Prepared, fold: int
) -> dict[str, dict[str, StrangeSet]]:
    """For student and control (and a teacher of one member) their answers on strange images.

    Near: images of *evaluate* spoiled in three ways, and phantoms unless the data are phantoms.
    Far: the folders of ``decide.strange``. At most 200 images each.

    Raises:
        DataError: one of those folders holds no readable image.
    """
    far = [Path(folder) for folder in context.recipe.decide.strange]
    sets = dict(strange_sets(context, prepared, fold, far=far))
    networks = {
        role: open_student(context, prepared, fold, 0, role) for role in ("student", "control")
    }
    teacher = open_teacher(context, prepared, fold)
    if len(teacher.members) == 1:
        networks["teacher"] = teacher.members[0]
    return {
        role: {
            name: network_answers(network, pictures, groups, near)
            for name, (pictures, groups, near) in sets.items()
        }
        for role, network in networks.items()
    }


def strange_sets(
    context: Context,
    prepared: Prepared,
    fold: int,
    *,
    near: Sequence[Path] = (),
    far: Sequence[Path] = (),
) -> Iterator[tuple[str, tuple[list[Stored], tuple[str, ...], bool]]]:
    """By name: pictures, the group of each, and whether they are of the same modality.

    Raises:
        DataError: a folder holds no readable image.
    """
    rows = evenly(prepared.parts[fold].evaluate)
    groups = tuple(prepared.images.samples[row].group for row in rows)
    for name, spoil in SPOILED.items():
        yield name, ([spoil(prepared.store[row]) for row in rows], groups, True)
    if prepared.images.name != "phantom":
        drawn = _phantoms(prepared)
        yield "phantom", (drawn, tuple(str(number) for number in range(len(drawn))), True)
    for folder in (*near, *far):
        pictures = _read(folder, context)
        names = tuple(str(number) for number in range(len(pictures)))
        yield folder.name, (pictures, names, folder in near)


def evenly(items: Sequence[Item]) -> list[Item]:
    """At most 200 of them, evenly spaced, so that every subfolder has its part."""
    return list(items[:: max(1, -(-len(items) // MOST))])


def _phantoms(prepared: Prepared) -> list[Stored]:
    shape = prepared.store[0].shape
    size = max(32, min(shape[:2]))
    drawn = (
        draw_phantom(index=n, seed=3, size=size, task="lesion").pixels for n in range(PHANTOMS)
    )
    gray = [pixels.astype(np.uint16) * 257 for pixels in drawn]
    return gray if len(shape) == 2 else [np.repeat(each[..., None], 3, axis=2) for each in gray]


def _read(folder: Path, context: Context) -> list[Stored]:
    data = context.recipe.data
    found: list[Stored] = []
    with InputReader() as reader:
        for item in evenly(list(find_inputs([folder]))):
            try:
                picture = reader.picture(item, data.window)
            except (DataError, MissingExtraError):
                continue  # counted as absent; what is left is enough to judge the gate
            found.append(to_stored(picture, stored_size=data.stored_size, channels=data.channels))
    if not found:
        raise DataError(
            where=folder,
            what="holds no readable image",
            cure="Name another folder, or mend decide.strange.",
        )
    return found


def network_answers(
    network: Network, pictures: Sequence[Stored], groups: tuple[str, ...], near: bool
) -> StrangeSet:
    """What a network says of stored pictures, rendered as it sees them."""
    seen = network.preprocessing
    want = frozenset({POOLED}) & network.feature_names
    batches = (
        torch.from_numpy(
            np.stack(
                [render(p, size=seen.size, fit=seen.fit) for p in pictures[start : start + BATCH]]
            )
        )
        for start in range(0, len(pictures), BATCH)
    )
    said = answer_batches(network, batches, want)
    return StrangeSet(logits=said["logits"], features=said.get(POOLED), groups=groups, near=near)

"""Writes phantoms as a folder of PNG files, once, and reads them as an image set."""

from __future__ import annotations

import csv
import io
import shutil
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medistill.core.errors import DataError
from medistill.core.files import temporary_beside, write_text
from medistill.core.types import ImageSet, Sample
from medistill.data.phantom.drawing import (
    TASKS,
    PhantomSlice,
    check_request,
    draw_phantom,
    lesions_of,
    phantom_task,
)
from medistill.data.phantom.lesions import LESIONS

# Part of the folder's name: raise it whenever a slice comes out differently.
DRAWING = 3


def read_phantom(
    root: Path,
    *,
    count: int,
    size: int = 128,
    seed: int = 0,
    start: int = 0,
    task: str = "lesion",
    workers: int = 0,
) -> ImageSet:
    """Draw slices ``start`` to ``start + count - 1`` into a folder below ``root``, once.

    The folder's name holds every argument, so other arguments never meet other pictures. It
    appears only when it is complete: ``images/``, ``masks/`` (PNG of class indices: 0 background,
    then ``LESIONS``) and ``labels.csv``.

    Args:
        root: folder to draw into; made if absent.
        count: number of slices.
        size: side in pixels.
        seed: which population.
        start: index of the first slice, so that an unseen set can begin elsewhere.
        task: a key of ``TASKS``.
        workers: processes that draw (spawned: guard your script's ``__main__``); 0 draws here.

    Returns:
        The set; each slice is a patient of its own. Segmentation samples carry which lesions are
        present as their label, for stratified splits.

    Raises:
        UnknownNameError: no such task.
        DataError: a count below 1, a size below 32, a negative seed or start, or a root that
            cannot be written.
    """
    asked = phantom_task(task)
    check_request(index=start, seed=seed, size=size)
    if count < 1:
        raise DataError(where="phantom", what=f"count is {count}", cure="Ask for at least 1 slice.")
    folder = root / f"phantom-{task}-{size}px-seed{seed}-{start}+{count}-v{DRAWING}"
    if not folder.is_dir():
        indices = range(start, start + count)
        _draw_folder(folder, indices, size=size, seed=seed, task=task, workers=workers)
    samples = tuple(
        _sample(folder, index, seed=seed, task=task) for index in range(start, start + count)
    )
    return ImageSet(
        name="phantom",
        root=folder,
        task=asked.task,
        classes=asked.classes,
        samples=samples,
        group_word="patient",
        caveats=("Drawn phantoms, not patients: figures say nothing about clinical use.",),
    )


def _draw_folder(
    folder: Path, indices: range, *, size: int, seed: int, task: str, workers: int
) -> None:
    """Draw into a temporary folder and rename it; if another process was faster, keep its."""
    part = temporary_beside(folder)
    try:
        # A killed process of the same number, as the first in a container is, may have left one.
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    except OSError as error:
        raise DataError(
            where=folder.parent,
            what=f"phantoms cannot be written here ({error.strerror})",
            cure="Give a folder that can be written.",
        ) from error
    try:
        _write_slices(part, indices, size=size, seed=seed, task=task, workers=workers)
        try:
            part.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_slices(
    folder: Path, indices: range, *, size: int, seed: int, task: str, workers: int
) -> None:
    """Write pictures, masks and the table of labels."""
    (folder / "images").mkdir()
    (folder / "masks").mkdir()
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["path", "label", "patient", "mask"])
    write = partial(_write_slice, folder, size=size, seed=seed, task=task)
    if workers:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            rows.writerows(pool.map(write, indices, chunksize=16))
    else:
        rows.writerows(map(write, indices))
    write_text(folder / "labels.csv", table.getvalue())


def _write_slice(folder: Path, index: int, *, size: int, seed: int, task: str) -> list[str]:
    """Write one picture and its mask; its row of the table.

    Plain writes: the whole folder is temporary until its one rename.
    """
    drawn = draw_phantom(index=index, seed=seed, size=size, task=task)
    stem = _stem(index)
    (folder / "images" / f"{stem}.png").write_bytes(_png(drawn.pixels))
    (folder / "masks" / f"{stem}.png").write_bytes(_png(_class_mask(drawn)))
    label = "|".join(sorted(drawn.lesions)) or "normal"
    if task == "lesion" and drawn.lesions:
        label = "lesion"
    return [f"images/{stem}.png", label, stem, f"masks/{stem}.png"]


def _sample(folder: Path, index: int, *, seed: int, task: str) -> Sample:
    """The sample of one drawn slice."""
    kinds, stem = lesions_of(index=index, seed=seed, task=task), _stem(index)
    classes = TASKS[task].classes
    label: int | tuple[float, ...]
    if TASKS[task].task == "single-label":
        named = kinds if task == "lesion-type" else {"lesion"} if kinds else set()
        label = classes.index(next(iter(named), "normal"))
    else:
        label = tuple(float(kind in kinds or kind == "background") for kind in classes)
    return Sample(
        path=folder / "images" / f"{stem}.png",
        name=f"images/{stem}.png",
        label=label,
        group=stem,
        mask=folder / "masks" / f"{stem}.png",
    )


def _class_mask(drawn: PhantomSlice) -> NDArray[np.uint8]:
    """0 background, then ``LESIONS``; a later kind lies over an earlier one."""
    classes = np.zeros(drawn.pixels.shape, np.uint8)
    for value, kind in enumerate(LESIONS, start=1):
        classes[drawn.masks[kind]] = value
    return classes


def _png(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG", compress_level=4)
    return stream.getvalue()


def _stem(index: int) -> str:
    return f"phantom-{index:06d}"

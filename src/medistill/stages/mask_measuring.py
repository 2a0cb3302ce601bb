"""Evaluation of masks: measures of each image, masks as PNG, overlays for the report."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medistill.core.files import write_bytes
from medistill.evaluate.arrays import Floats, Ints
from medistill.evaluate.measured import Measure
from medistill.evaluate.segmentation import (
    MEASURES,
    boundary,
    image_measures,
    segmentation_names,
    segmentation_values,
)
from medistill.imaging.resize import to_float
from medistill.models.network import Network
from medistill.report.measures import Shown
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.mask_prediction import Ask, ask_network, ask_teacher, predicted_masks
from medistill.stages.student import open_student
from medistill.stages.teacher import open_teacher

_PICTURES = 8
_TRUTH, _STUDENT = (0, 200, 80), (230, 60, 60)
Mask = NDArray[np.uint8]


def mask_tables(context: Context, prepared: Prepared, folder: Path) -> dict[str, list[Floats]]:
    """Measures (N, classes - 1, 4) of the *evaluate* images by role and seed.

    Writes a table of them for each, and the masks of seed 0's student as PNG of class indices.
    """
    tables: dict[str, list[Floats]] = {}
    roles = [("student", seed) for seed in range(context.recipe.seeds)]
    roles += [("control", seed) for seed in range(context.recipe.seeds)]
    for role, seed in [*roles, ("teacher", 0)]:
        keep = folder / "masks" if (role, seed) == ("student", 0) else None
        found = _measured(context, prepared, role, seed, keep)
        tables.setdefault(role, []).append(np.stack([values for _, values in found]))
        _write_table(folder / f"{role}-{seed}.csv", prepared, found)
    return tables


def mask_measure(values: Floats) -> Measure:
    """The measures of rows as ``evaluate.measured`` asks for them."""

    def measure(rows: Ints) -> Floats:
        return segmentation_values(values[rows])

    return measure


def mask_names(prepared: Prepared) -> list[str]:
    """Names of those measures; Dice comes first."""
    return segmentation_names(prepared.images.classes)


def overlays(prepared: Prepared, rows: Sequence[int], values: Floats, folder: Path) -> list[Shown]:
    """The student's worst images by Dice, truth outlined in green and the student's mask in red."""
    dice = np.nanmean(np.where(np.isnan(values[:, :, 0]), 1.0, values[:, :, 0]), axis=1)
    worst = np.argsort(dice, kind="stable")[:_PICTURES]
    return [
        Shown(
            data_uri=_picture(prepared, rows[i], _read(folder, prepared, rows[i])),
            caption=f"{prepared.images.samples[rows[i]].name}: Dice {dice[i]:.3f}; truth green, "
            "student red",
        )
        for i in worst.tolist()
    ]


def _measured(
    context: Context, prepared: Prepared, role: str, seed: int, keep: Path | None
) -> list[tuple[int, Floats]]:
    found = []
    if prepared.masks is None:
        raise ValueError("a set without masks")
    for fold in context.folds():
        ask, network = _asked(context, prepared, fold, seed, role)
        rows = prepared.parts[fold].evaluate
        for row, mask in predicted_masks(ask, prepared, rows, network):
            truth = prepared.masks[row]
            found.append((row, image_measures(mask, truth, classes=prepared.masks.classes)))
            if keep is not None:
                path = _file(keep, prepared, row)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(path, _png(mask))
    return found


def _asked(
    context: Context, prepared: Prepared, fold: int, seed: int, role: str
) -> tuple[Ask, Network]:
    if role == "teacher":
        teacher = open_teacher(context, prepared, fold)
        return ask_teacher(teacher), teacher.members[0]
    network = open_student(context, prepared, fold, seed, role)
    return ask_network(network), network


def _write_table(path: Path, prepared: Prepared, found: Sequence[tuple[int, Floats]]) -> None:
    classes = prepared.images.classes[1:]
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "group", "class", *MEASURES])
        for row, values in found:
            sample = prepared.images.samples[row]
            for name, each in zip(classes, values, strict=True):
                cells = ["" if np.isnan(value) else f"{value:.4f}" for value in each]
                writer.writerow([sample.name, sample.group, name, *cells])


def _file(folder: Path, prepared: Prepared, row: int) -> Path:
    """Where a mask goes: the image's own path below the folder, as PNG."""
    return (folder / prepared.images.samples[row].name).with_suffix(".png")


def _read(folder: Path, prepared: Prepared, row: int) -> Mask:
    with Image.open(_file(folder / "masks", prepared, row)) as image:
        return np.asarray(image)


def _png(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def _picture(prepared: Prepared, row: int, mask: Mask) -> str:
    if prepared.masks is None:
        raise ValueError("a set without masks")
    truth = prepared.masks[row]
    gray = to_float(prepared.store[row])
    gray = gray.mean(axis=-1) if gray.ndim == 3 else gray
    size = (truth.shape[1], truth.shape[0])
    plane = Image.fromarray((255 * gray).astype(np.uint8)).resize(size)
    picture = np.stack([np.asarray(plane)] * 3, axis=-1)
    for each, colour in ((truth, _TRUTH), (mask, _STUDENT)):
        for value in np.unique(each[(each != 0) & (each != 255)]):
            picture[boundary(each == value)] = colour
    return "data:image/png;base64," + base64.b64encode(_png(picture)).decode()


def measures_of(context: Context, prepared: Prepared, folder: Path) -> dict[str, Any]:
    """What ``stages.measuring.document`` needs, and the pictures."""
    tables = mask_tables(context, prepared, folder)
    rows = [row for fold in context.folds() for row in prepared.parts[fold].evaluate]
    return {
        "measures": {role: [mask_measure(v) for v in seeds] for role, seeds in tables.items()},
        "names": mask_names(prepared),
        "pictures": overlays(prepared, rows, tables["student"][0], folder),
    }

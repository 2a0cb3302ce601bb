"""Draws one slice of the phantom: patient, lesions and scanner, from counted generators.

All draws come from Philox generators keyed by (seed, index, purpose), so slice i of seed s is the
same whatever the count, and the anatomy does not depend on which lesions are drawn into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from medistill.core.errors import DataError, UnknownNameError
from medistill.core.types import Task
from medistill.data.phantom.anatomy import Anatomy
from medistill.data.phantom.grid import Grid, draw_grid, lung_distance
from medistill.data.phantom.lesions import LESIONS, Opacity, draw_opacities
from medistill.data.phantom.lung import parenchyma
from medistill.data.phantom.patient import draw_anatomy
from medistill.data.phantom.scanner import draw_window, scan, to_gray
from medistill.data.phantom.shapes import Field, coverage, paint
from medistill.data.phantom.tissue import (
    paint_airways,
    paint_bones,
    paint_mediastinum,
    paint_wall,
)
from medistill.data.phantom.vessels import draw_vessels, render_strokes


@dataclass(frozen=True)
class PhantomTask:
    """What is asked of a phantom: the task and the classes in the order of the labels."""

    task: Task
    classes: tuple[str, ...]


# A pixel belongs to a lung, or to a lesion, when at least half of it does.
LUNG_SHARE = 0.5
TASKS: Mapping[str, PhantomTask] = MappingProxyType(
    {
        "lesion": PhantomTask("single-label", ("normal", "lesion")),
        "lesion-type": PhantomTask("single-label", ("normal", *LESIONS)),
        "lesions": PhantomTask("multi-label", LESIONS),
        "segmentation": PhantomTask("segmentation", ("background", *LESIONS)),
    }
)


@dataclass(frozen=True)
class PhantomSlice:
    """One drawn slice and its truth.

    Attributes:
        pixels: (S, S) uint8, the lung window as a PNG shows it.
        hounsfield: (S, S) float32, HU with noise.
        masks: (S, S) bool by name: ``lung-right``, ``lung-left`` and each of ``LESIONS``. Lesions
            lie inside the lungs; where two lesions overlap both masks are set.
        lesions: which of ``LESIONS`` are present; exactly those have a mask that is not empty.
        window: centre and width of the window, HU.
        spacing: side of a pixel, mm.
    """

    pixels: NDArray[np.uint8]
    hounsfield: Field
    masks: Mapping[str, NDArray[np.bool_]]
    lesions: frozenset[str]
    window: tuple[float, float]
    spacing: float


def lesions_of(*, index: int, seed: int, task: str) -> frozenset[str]:
    """Which lesions a task puts into a slice.

    Single-label tasks are balanced: each run of as many slices as there are classes holds each
    class once, in drawn order. In the other tasks each kind of lesion is present with odds of
    2 in 5, whatever the others are.

    Raises:
        UnknownNameError: no such task.
    """
    asked = phantom_task(task)
    if asked.task != "single-label":
        present = _stream(seed, index, 0).random(len(LESIONS)) < 0.4
        return frozenset(kind for kind, there in zip(LESIONS, present, strict=True) if there)
    block, place = divmod(index, len(asked.classes))
    name = asked.classes[_stream(seed, block, 1).permutation(len(asked.classes))[place]]
    if name == "lesion":
        name = LESIONS[_stream(seed, index, 2).integers(len(LESIONS))]
    return frozenset({name} - {"normal"})


def draw_phantom(
    *,
    index: int,
    seed: int,
    size: int,
    task: str = "lesion",
    lesions: frozenset[str] | None = None,
) -> PhantomSlice:
    """Draw one slice.

    Args:
        index: which slice, from 0.
        seed: which population, from 0.
        size: side S of the picture in pixels.
        task: a key of ``TASKS``; decides which lesions are present.
        lesions: which lesions are present, whatever the task: the same patient with and without.

    Raises:
        UnknownNameError: no such task or lesion.
        DataError: a negative index or seed, or a size below 32.
    """
    check_request(index=index, seed=seed, size=size)
    kinds = lesions_of(index=index, seed=seed, task=task) if lesions is None else lesions
    for kind in kinds:
        if kind not in LESIONS:
            raise UnknownNameError(where="phantom", kind="lesion", name=kind, known=LESIONS)
    anatomy, grid = draw_patient(index=index, seed=seed, size=size)
    rng = _stream(seed, index, 3)
    picture, cage = paint_wall(rng, anatomy, grid)
    paint_mediastinum(rng, anatomy, grid, picture, cage)
    paint_bones(rng, anatomy, grid, picture)
    lung = coverage(lung_distance(anatomy, grid, cage), grid.edge)
    paint(picture, parenchyma(rng, anatomy, grid, cage), lung)
    vessels = render_strokes(draw_vessels(rng, anatomy), grid) * lung
    found = draw_opacities(_stream(seed, index, 4), anatomy, grid, lung, kinds=kinds)
    _paint_opacities(picture, found, vessels)
    paint_airways(anatomy, grid, picture)
    hounsfield = scan(_stream(seed, index, 5), grid, picture)
    window = draw_window(_stream(seed, index, 6))
    return PhantomSlice(
        pixels=to_gray(hounsfield, centre=window[0], width=window[1]),
        hounsfield=hounsfield,
        masks=_masks(found, lung >= LUNG_SHARE, grid.x < anatomy.spine[0]),
        lesions=kinds,
        window=window,
        spacing=grid.pixel,
    )


def draw_patient(*, index: int, seed: int, size: int) -> tuple[Anatomy, Grid]:
    """The patient of a slice and the field of view, the same whatever lesions are drawn."""
    rng = _stream(seed, index, 7)
    anatomy = draw_anatomy(rng)
    return anatomy, draw_grid(rng, anatomy, size)


def _paint_opacities(picture: Field, found: tuple[Opacity, ...], vessels: Field) -> None:
    """Ground glass below the vessels, the dense lesions above them."""
    for opacity in found:
        if opacity.kind == "ground-glass":
            _paint_opacity(picture, opacity)
    paint(picture, 40.0, vessels)
    for opacity in found:
        if opacity.kind != "ground-glass":
            _paint_opacity(picture, opacity)


def _paint_opacity(picture: Field, opacity: Opacity) -> None:
    part = picture[opacity.where]
    paint(part, np.maximum(opacity.hounsfield, part), opacity.cover)


def _masks(
    found: tuple[Opacity, ...], lung: NDArray[np.bool_], right: NDArray[np.bool_]
) -> dict[str, NDArray[np.bool_]]:
    """Masks by name; a lesion's pixels are lung, even the one pixel of the smallest lesion."""
    masks = {kind: np.zeros(lung.shape, bool) for kind in LESIONS}
    for opacity in found:
        masks[opacity.kind][opacity.where] |= opacity.mask
    lung = np.logical_or.reduce([lung, *masks.values()])
    return {"lung-right": lung & right, "lung-left": lung & ~right, **masks}


def _stream(seed: int, index: int, purpose: int) -> np.random.Generator:
    """Generator of one purpose of one slice: Philox keyed by (seed, index, purpose)."""
    key = np.array([seed, index * 8 + purpose], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def phantom_task(name: str) -> PhantomTask:
    """The task of a name, or an ``UnknownNameError`` that lists them."""
    if name not in TASKS:
        raise UnknownNameError(where="phantom", kind="phantom task", name=name, known=TASKS)
    return TASKS[name]


def check_request(*, index: int, seed: int, size: int) -> None:
    """Raise a ``DataError`` unless a slice of this index, seed and size can be drawn."""
    for name, value, least in (("index", index, 0), ("seed", seed, 0), ("size", size, 32)):
        if value < least:
            raise DataError(
                where="phantom",
                what=f"{name} is {value}",
                cure=f"The least is {least}.",
            )

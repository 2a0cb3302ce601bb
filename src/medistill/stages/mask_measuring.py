"""Evaluation of masks: measures of each image, masks as PNG, overlays for the report."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medistill.bundle.calibration import Calibration, probabilities
from medistill.core.files import write_bytes
from medistill.core.types import Sample
from medistill.data.masks import Masks
from medistill.evaluate.arrays import Floats
from medistill.evaluate.mask_confidence import entropy
from medistill.evaluate.mask_scores import MaskScores
from medistill.evaluate.pixel_sums import pixel_sums
from medistill.evaluate.segmentation import boundary, image_measures
from medistill.explain.overlay import overlay
from medistill.imaging.masks import UNKNOWN
from medistill.imaging.preprocessing import Preprocessing
from medistill.imaging.resize import to_float
from medistill.report.pictures import Picture
from medistill.stages.data import Prepared
from medistill.stages.mask_prediction import AskBatch, mask_batches, resized_mask

_PICTURES = 6
_SIDE = 192
_TRUTH, _STUDENT = (0, 200, 80), (230, 60, 60)
Mask = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class Segmenter:
    """One model of one fold that makes masks.

    Attributes:
        ask: from a batch to logits.
        seen: size and shape that the images take.
        calibration: fitted on *calibrate*.
    """

    ask: AskBatch
    seen: Preprocessing
    calibration: Calibration


@dataclass(frozen=True, kw_only=True, eq=False)
class Segmented:
    """What a model said of one image.

    Attributes:
        row: of the store.
        chances: (K, S, S) calibrated probabilities.
        truth: (S, S) class indices at that size.
        mask: (H, W) class indices at the size of the true mask.
    """

    row: int
    chances: Floats
    truth: NDArray[np.int64]
    mask: Mask


def segment(model: Segmenter, prepared: Prepared, rows: Sequence[int]) -> Iterator[Segmented]:
    """Masks of rows, one after the other."""
    masks = _masks(prepared)
    for batch in mask_batches(prepared, rows, model.seen):
        logits = model.ask(batch)["logits"].numpy()
        chances = probabilities(logits, task="segmentation", calibration=model.calibration)
        truth = batch.masks_or_fail().numpy()
        for place, row in enumerate(batch.index.tolist()):
            mask = resized_mask(chances[place], masks[row].shape)
            yield Segmented(row=row, chances=chances[place], truth=truth[place], mask=mask)


def mask_table(
    prepared: Prepared, models: Sequence[tuple[int, Sequence[int], Segmenter]], keep: Path | None
) -> MaskScores:
    """Measures of every image by the model of its fold.

    Args:
        prepared: the data stage, with masks.
        models: fold, rows of its *evaluate*, and model.
        keep: folder for the masks as PNG of class indices; None writes none.
    """
    masks, found = _masks(prepared), []
    for fold, rows, model in models:
        for each in segment(model, prepared, rows):
            truth = masks[each.row]
            measured = image_measures(each.mask, truth, classes=masks.classes)
            present = [bool((truth == value).any()) for value in range(1, masks.classes)]
            sums = pixel_sums(each.chances, each.truth, unknown=UNKNOWN)
            found.append((fold, each.row, present, measured, sums))
            if keep is not None:
                _keep(keep, prepared, each)
    folds, rows_, present_, overlaps, pixels = zip(*found, strict=True)
    samples = [prepared.images.samples[row] for row in rows_]
    return MaskScores(
        names=[sample.name for sample in samples],
        groups=[sample.group for sample in samples],
        folds=folds,
        present=np.array(present_),
        overlaps=np.stack(overlaps),
        pixels=np.stack(pixels),
    )


def worst_masks(
    prepared: Prepared, table: MaskScores, model: Segmenter, rows: Sequence[int]
) -> tuple[Picture, ...]:
    """A model's worst images by Dice: both outlines, and beside them where it is unsure.

    Args:
        prepared: the data stage.
        table: its measures.
        model: of one fold.
        rows: that fold's *evaluate*, the first rows of the table.
    """
    dice = table.overlaps[: len(rows), :, 0]
    each = np.nanmean(np.where(np.isnan(dice), 1.0, dice), axis=1)
    chosen = np.argsort(each, kind="stable")[:_PICTURES]
    found = segment(model, prepared, [rows[place] for place in chosen])
    pairs = [
        _pictures(prepared, said, float(each[place]))
        for place, said in zip(chosen, found, strict=True)
    ]
    return tuple(picture for pair in pairs for picture in pair)


def _pictures(prepared: Prepared, said: Segmented, dice: float) -> tuple[Picture, Picture]:
    name, gray = prepared.images.samples[said.row].name, to_float(prepared.store[said.row])
    gray = gray.mean(axis=-1) if gray.ndim == 3 else gray
    plane = Image.fromarray((255 * gray).astype(np.uint8)).resize((_SIDE, _SIDE))
    outlined = np.stack([np.asarray(plane)] * 3, axis=-1)
    for mask, colour in ((_masks(prepared)[said.row], _TRUTH), (said.mask, _STUDENT)):
        large = np.asarray(Image.fromarray(mask).resize((_SIDE, _SIDE), Image.Resampling.NEAREST))
        for value in np.unique(large[(large != 0) & (large != UNKNOWN)]):
            outlined[boundary(large == value)] = colour
    unsure = Image.fromarray(entropy(said.chances[None])[0].astype(np.float32))
    heat = np.asarray(unsure.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))
    return (
        Picture(
            pixels=outlined,
            caption=f"Dice {dice:.3f}; truth outlined in green, student in red",
            detail=name,
        ),
        Picture(
            pixels=overlay(np.asarray(plane)[None] / 255, heat),
            caption="Uncertainty of the student's mask: entropy of each pixel, black is sure",
            detail=name,
        ),
    )


def _masks(prepared: Prepared) -> Masks:
    if prepared.masks is None:
        raise ValueError("a set without masks")
    return prepared.masks


def _keep(folder: Path, prepared: Prepared, said: Segmented) -> None:
    """The image's own path below the folder, as PNG of class indices."""
    path = folder / _png_name(prepared.images.samples[said.row])
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    Image.fromarray(said.mask).save(stream, format="PNG")
    write_bytes(path, stream.getvalue())


def _png_name(sample: Sample) -> str:
    """``a/b.png`` of ``a/b.jpg``; a slice keeps its number: ``a/scan-axial00012.png``."""
    file, _, cut = sample.name.partition("#") if sample.frame is not None else (sample.name, "", "")
    plain = Path(file.removesuffix(".gz")).with_suffix("").as_posix()
    return f"{plain}-{cut}.png" if cut else f"{plain}.png"

"""Metrics of masks, against sums made image by image."""

from __future__ import annotations

import numpy as np
import pytest

from medistill.evaluate.mask_metrics import over_classes
from medistill.evaluate.segmentation import MEASURES
from tests.unit.evaluate.label_tables import mask_table

TABLE = mask_table()


def value(name: str, weights: np.ndarray | None = None) -> np.ndarray:
    return TABLE.metrics[name].function(TABLE.present, TABLE.answers, weights)


@pytest.mark.parametrize("number", range(len(MEASURES)))
def test_mean_over_images_then_over_classes(number: int) -> None:
    each = np.nanmean(TABLE.overlaps[..., number], axis=0)
    assert value(f"class_{MEASURES[number]}") == pytest.approx(each)
    assert value(MEASURES[number]) == pytest.approx(each.mean())


def test_weights_are_images_that_come_several_times() -> None:
    drawn = np.random.default_rng(1).integers(0, len(TABLE), size=len(TABLE))
    weights = np.bincount(drawn, minlength=len(TABLE)).astype(float)
    rows = np.repeat(np.arange(len(TABLE)), weights.astype(int))
    expected = np.nanmean(TABLE.overlaps[rows][..., 0], axis=0)
    assert value("class_dice", weights[None])[0] == pytest.approx(expected)
    assert value("brier", weights[None])[0] == pytest.approx(TABLE.pixels[rows, -2].mean())


def test_a_class_that_nobody_shows_is_left_out_of_the_mean() -> None:
    assert over_classes(np.array([0.4, np.nan])) == pytest.approx(0.4)
    assert np.isnan(over_classes(np.array([np.nan, np.nan])))


def test_an_image_that_nobody_labelled_says_nothing_of_the_pixels() -> None:
    silent = np.zeros((3, TABLE.answers.shape[1]))
    silent[:, : -TABLE.pixels.shape[1]] = np.nan
    answers = np.concatenate([TABLE.answers, silent])
    present = np.concatenate([TABLE.present, np.zeros((3, TABLE.classes), dtype=bool)])
    for name in ("brier", "log_loss", "calibration_error"):
        metric = TABLE.metrics[name]
        assert metric.function(present, answers, None) == pytest.approx(value(name))
    assert np.isnan(TABLE.metrics["brier"].function(present[-3:], silent, None))


def test_pixels_of_all_images_share_the_bins() -> None:
    count, stated, hits = TABLE.pixels.sum(axis=0)[:45].reshape(3, 15)
    assert count.sum() == len(TABLE) * 64
    assert value("calibration_error") == pytest.approx(np.abs(hits - stated).sum() / count.sum())

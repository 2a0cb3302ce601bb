from __future__ import annotations

import numpy as np
import pytest

from medistill.evaluate.diagrams import diagrams, pixel_reliability
from tests.unit.evaluate.label_tables import label_table, mask_table


def test_each_task_has_what_applies_to_it(simulate):
    single = diagrams(simulate(), ["a", "b"])
    assert set(single["reliability"]) == {"all"}
    assert np.sum(single["confusion"]) == 120
    labels = diagrams(label_table(), ["a", "b", "c"])
    assert set(labels["reliability"]) == set(labels["roc"]) == {"a", "b", "c"}
    assert labels["confusion"] is None
    masks = diagrams(mask_table(), ["a", "b"])
    assert set(masks["reliability"]) == {"pixels"}
    assert masks["confusion"] is None
    assert masks["roc"] == masks["precision_recall"] == {}


def test_bins_of_a_label_hold_the_images_where_it_is_known():
    table = label_table()
    bins = diagrams(table, ["a", "b", "c"])["reliability"]["a"]
    assert sum(b["images"] for b in bins) == np.isfinite(table.labels[:, 0]).sum()


def test_pixels_of_all_images_share_the_bins():
    table = mask_table()
    bins = pixel_reliability(table)
    assert sum(b.images for b in bins) == 30 * 64
    hits = sum(b.images * b.frequency for b in bins)
    assert hits == pytest.approx(table.pixels[:, 30:45].sum())

"""Ratios of a comparison, against numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.summary import Measured, report, table
from benchmarks.workload import Workload


def workload(images: int = 64) -> Workload:
    return Workload(
        folder="anywhere",
        images=images,
        classes=2,
        size=224,
        batch_size=16,
        teacher="deit_base_patch16_224",
        student="deit_tiny_patch16_224",
        epochs=6,
        views=4,
        threads=2,
    )


OURS = Measured(
    name="medistill",
    facts={"teacher": "cached", "caching_seconds": 60.0},
    seconds=(9.0, 4.0, 4.0, 3.0, 5.0, 40.0),
)
THEIRS = Measured(name="timm", facts={"teacher": "live"}, seconds=(30.0, 20.0, 22.0, 20.0))
CONTROL = Measured(name="medistill-control", facts={"teacher": "none"}, seconds=(9.0, 4.0, 3.5))


def test_an_epoch_is_the_median_after_the_warm_up() -> None:
    assert OURS.epoch_seconds == 4.0  # of 4, 4, 3, 5, 40; the first does not count


def test_a_run_counts_caching_every_measured_epoch_and_the_rest_at_the_median() -> None:
    # 60 s of caching, 65 s measured in six epochs, 24 more at 4 s
    assert OURS.run_seconds(30) == (60 + 65 + 96, False)
    assert OURS.run_seconds(6) == (125, True)
    assert OURS.run_seconds(2) == (60 + 13, True)


def test_ratios() -> None:
    figures = report([THEIRS, OURS, CONTROL], workload(), run_epochs=30)
    systems = figures["systems"]
    assert isinstance(systems, dict)
    assert systems["timm"]["epoch_over_ours"] == 5.0
    assert systems["timm"]["images_per_second"] == pytest.approx(3.2)
    assert systems["timm"]["run_over_ours"] == pytest.approx((92 + 26 * 20) / 221)
    assert figures["cached_epoch_over_control"] == pytest.approx(4 / 3.75)


def test_the_table_says_what_was_not_measured() -> None:
    figures = report([THEIRS, OURS], workload(), run_epochs=30)
    assert "the rest at their median" in table(figures, 30, 4)
    assert "measured whole" in table(report([THEIRS, OURS], workload(), run_epochs=4), 4, 4)


def test_a_workload_survives_its_file(tmp_path: Path) -> None:
    workload().write(tmp_path / "w.json")
    assert Workload.read(tmp_path / "w.json") == workload()


def test_an_epoch_must_be_whole_batches() -> None:
    with pytest.raises(ValueError, match="does not divide 60 images"):
        workload(images=60)

"""A teacher is made again when what it is fitted with has changed, and only then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from medistill.core.files import read_json
from medistill.stages.run import teach

TINY = (
    "data.path=phantom:count=60,size=32,task=lesions",
    "data.folds=1",
    "data.shares={select: 0.1, calibrate: 0.25, evaluate: 0.3}",
    "data.stored_size=32",
    "data.workers=0",
    "views.count=1",
    "teacher.model={name: tf_efficientnet_lite0, image_size: 32}",
    "student={name: mobilevit_xxs, image_size: 32}",
)
FIT = ("teacher.probe=null", "teacher.fit={epochs: 1, batch_size: 16, lr: 1.0e-3}")
PROBE = ("teacher.probe={views: 1, penalties: [0.1]}",)


def taught(run: Path, *changes: str) -> dict[str, Any]:
    teach("rms-net-small", out=run, overrides=(*TINY, *changes))
    return dict(read_json(run / "teacher/manifest.json"))


def test_the_loss_that_a_teacher_is_fitted_with_is_an_input(tmp_path: Path) -> None:
    first = taught(tmp_path, *FIT, "method.focus=2.0")
    other = taught(tmp_path, *FIT, "method.focus=0.0")
    assert (first["inputs"]["method"]["focus"], other["inputs"]["method"]["focus"]) == (2.0, 0.0)
    assert first["outputs"]["weights_hash"] != other["outputs"]["weights_hash"]
    # What only the student's loss has leaves the teacher alone.
    assert taught(tmp_path, *FIT, "method.focus=0.0", "method.similarity_weight=1.0") == other


def test_a_probe_has_a_loss_of_its_own(tmp_path: Path) -> None:
    first = taught(tmp_path, *PROBE, "method.focus=2.0")
    assert "method" not in first["inputs"]
    assert taught(tmp_path, *PROBE, "method.focus=0.0") == first

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medistill.bundle.bundle import open_bundle
from medistill.core.files import write_json
from medistill.stages.bundle import _findings
from medistill.stages.context import SilentReporter
from medistill.stages.run import export

SAID = {
    "opening": None,
    "harm": ["Worse."],
    "no_harm": [
        "No class is shown to be served worse.",
        "Not tested for harm: rare (too few images, 2).",
    ],
    "for_file": "For the 2 students.",
    "for_method": "For this method.",
    "standing": "All students.",
    "shipped": "The shipped file.",
}


def of_run(folder: Path, answer: dict[str, Any]) -> tuple[str, ...]:
    (folder / "evaluation").mkdir(exist_ok=True)
    rest = {"provenance": {}, "decisions": {}, "counts": {"folds": 2}}
    write_json(folder / "evaluation/metrics.json", {"answer": answer, **rest})
    run = SimpleNamespace(stage=lambda name: folder / name)
    return _findings(SimpleNamespace(run=run))  # type: ignore[arg-type]


def test_the_card_says_how_good_the_shipped_file_is(tmp_path: Path) -> None:
    assert of_run(tmp_path, SAID) == (
        "Worse.",
        "For the 2 students.",
        "For this method.",
        "All students.",
        "The shipped file.",
        "No class is shown to be served worse.",
        "Not tested for harm: rare (too few images, 2).",
    )


def test_an_evaluation_without_folds_has_nothing_more_to_say_of_it(tmp_path: Path) -> None:
    said = {key: text for key, text in SAID.items() if key != "no_harm"}
    assert of_run(tmp_path, {**said, "shipped": None})[-1] == "All students."


@pytest.mark.parametrize("damaged", ["bundle/student.onnx", "bundle/README.md", "bundle.zip"])
def test_a_damaged_bundle_is_made_again_and_it_is_said_where_it_lies(
    finished: Path, tmp_path: Path, damaged: str
) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    (run / damaged).write_bytes((run / damaged).read_bytes()[:-9])
    said: list[str] = []
    speaker = SilentReporter()
    speaker.say = said.append  # type: ignore[method-assign]
    export(run, reporter=speaker)
    both = [open_bundle(run / name) for name in ("bundle", "bundle.zip")]
    assert both[0].identity == both[1].identity
    export(run, reporter=speaker)
    assert said[0].startswith("Export: largest difference")
    assert said[1:] == 2 * [f"Bundle: {run / 'bundle'} and {run / 'bundle.zip'}"]

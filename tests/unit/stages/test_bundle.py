from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from medistill.core.files import write_json
from medistill.stages.bundle import _findings

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

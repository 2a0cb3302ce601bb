import json
from pathlib import Path

import pytest

from benchmarks.matrix_table import answer_lines, score_of, seed_lines, trial_lines
from medistill.core.errors import DataError


def _trial(name: str, overrides: str, auroc: str) -> dict[str, str]:
    return {"data": "scans", "name": name, "overrides": overrides, "auroc": auroc}


def _row(seed: int, auroc: str, part: str = "evaluate") -> dict[str, str]:
    return {
        "data": "scans",
        "method": "kdvit",
        "role": "student",
        "seed": str(seed),
        "part": part,
        "auroc": auroc,
        "seconds": "20",
    }


def test_trials_are_means_over_folds_and_the_best_of_each_is_bold() -> None:
    rows = [
        _trial("control", "control.lr=1", ".5"),
        _trial("control", "control.lr=1", ".7"),
        _trial("control", "control.lr=2", ".65"),
        _trial("kdvit", "", ".4"),
    ]
    assert list(trial_lines(rows, "auroc"))[2:] == [
        "| scans | control | `control.lr=1` | .600 |",
        "| scans | control | `control.lr=2` | **.650** |",
        "| scans | kdvit | `the recipe` | **.400** |",
    ]


def test_seeds_are_means_over_folds_and_select_does_not_count() -> None:
    rows = [_row(1, ".9"), _row(0, ".6"), _row(0, ".8"), _row(0, ".1", part="select")]
    assert list(seed_lines(rows, "auroc"))[2:] == [
        "| scans | kdvit | student | .700 .900 | .800 | 20 |"
    ]


def test_of_masks_dice_is_shown_and_a_score_that_nobody_has_is_refused() -> None:
    trial = _trial("control", "control.lr=1", "") | {"dice": ".55", "loss": ".3"}
    assert score_of([trial], None) == "dice"
    assert score_of([trial], "loss") == "loss"
    assert list(trial_lines([trial], "dice"))[2:] == [
        "| scans | control | `control.lr=1` | **.550** |"
    ]
    with pytest.raises(DataError, match=r"'auroc'.*dice, loss"):
        score_of([trial], "auroc")
    with pytest.raises(DataError, match="none yet"):
        score_of([], None)


def test_answers_are_the_reports_own(tmp_path: Path) -> None:
    folder = tmp_path / "scans-kdvit" / "evaluation"
    folder.mkdir(parents=True)
    document = {"answer": {"full": "Distilling raised AUROC."}}
    (folder / "metrics.json").write_text(json.dumps(document), encoding="utf-8")
    assert list(answer_lines(tmp_path)) == ["- **scans-kdvit**: Distilling raised AUROC."]

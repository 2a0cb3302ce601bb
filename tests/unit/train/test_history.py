"""CSV and TensorBoard agree with the rows of the checkpoint."""

from __future__ import annotations

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from medistill.train.history import History, as_csv

ROWS = [
    {"epoch": 1, "step": 5, "loss": 0.1 + 0.2, "select.raw.auroc": 0.5},
    {"epoch": 2, "step": 10, "loss": 0.25, "select.raw.auroc": float("nan")},
]


def _scalars(folder: Path, tag: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_csv_keeps_every_digit_and_new_columns() -> None:
    text = as_csv([*ROWS, {"epoch": 3, "extra": 1.5}])
    assert text.splitlines() == [
        "epoch,step,loss,select.raw.auroc,extra",
        "1,5,0.30000000000000004,0.5,",
        "2,10,0.25,nan,",
        "3,,,,1.5",
    ]


def test_an_epoch_that_was_cut_off_leaves_no_trace(tmp_path: Path) -> None:
    killed = History(tmp_path, [])
    killed.update(ROWS[:1])
    killed.update([*ROWS[:1], {"epoch": 2, "step": 10, "loss": 99.0}])
    killed.close()
    resumed = History(tmp_path, ROWS[:1])
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 2
    resumed.update(ROWS)
    resumed.close()
    assert (tmp_path / "history.csv").read_text() == as_csv(ROWS)
    assert _scalars(tmp_path, "loss") == [(5, 0.30000001192092896), (10, 0.25)]
    assert _scalars(tmp_path, "select/raw.auroc")[0] == (5, 0.5)


def test_other_files_beside_the_events_are_left(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").mkdir()
    (tmp_path / "tensorboard/notes.txt").write_text("mine")
    History(tmp_path, []).close()
    assert (tmp_path / "tensorboard/notes.txt").read_text() == "mine"
    assert not (tmp_path / "history.csv").exists()

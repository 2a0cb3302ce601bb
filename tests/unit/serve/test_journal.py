from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path

from medistill.serve.inputs import Input
from medistill.serve.journal import Journal
from medistill.serve.prediction import Prediction
from tests.unit.bundle.handmade import gray_bundle
from tests.unit.serve.serving import SRC, png

FINE = Prediction(
    path="a", probabilities=(0.1 + 0.2, 0.7), label="x", conformal=("x",), trusted=True
)
BAD = Prediction(path="b", problem="is damaged")
MADE_BY = {"bundle": "b", "graph": "fp32"}


def stopped(out: Path, *found: Prediction) -> Journal:
    """A journal of predictions whose files lie beside it."""
    journal, file = Journal(out, MADE_BY), out.parent / "scan"
    file.write_bytes(b"12345")
    for each in found:
        journal.add(dataclasses.replace(each, source=journal.begun(Input(file))))
    journal.save()
    journal.close(finished=False)
    return journal


def test_answers_of_a_stopped_run_come_back_to_the_last_digit(tmp_path: Path) -> None:
    stopped(tmp_path / "o.csv", FINE, BAD)
    again = Journal(tmp_path / "o.csv", MADE_BY)
    assert again.done == {"a"}  # what had a problem is tried again
    assert list(again.read()) == [FINE]
    again.close(finished=True)
    assert [path.name for path in tmp_path.iterdir()] == ["scan"]


def test_the_answer_of_a_file_that_has_changed_since_is_not_kept(tmp_path: Path) -> None:
    scan = tmp_path / "scan"

    def rewrite() -> None:
        os.utime(scan, ns=(0, 0))

    def lengthen() -> None:
        noted = scan.stat()
        scan.write_bytes(b"123456")
        os.utime(scan, ns=(noted.st_atime_ns, noted.st_mtime_ns))

    def relink() -> None:
        scan.rename(tmp_path / "other")
        scan.symlink_to(tmp_path / "other")

    def remove() -> None:
        scan.unlink()

    for change in (rewrite, lengthen, relink, remove):
        stopped(tmp_path / "o.csv", FINE)
        change()
        again = Journal(tmp_path / "o.csv", MADE_BY)
        assert (again.done, list(again.read())) == (set(), []), change
        again.close(finished=True)
        scan.unlink(missing_ok=True)


def test_an_answer_whose_file_nobody_noted_is_not_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "o.csv", MADE_BY)
    journal.add(FINE)
    assert list(journal.read()) == [FINE]
    journal.close(finished=False)
    again = Journal(tmp_path / "o.csv", MADE_BY)
    assert again.done == set()
    again.close(finished=True)


def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    path = stopped(tmp_path / "o.csv", FINE, FINE).path
    path.write_bytes(path.read_bytes()[:-9])
    again = Journal(tmp_path / "o.csv", MADE_BY)
    assert list(again.read()) == [FINE]
    again.close(finished=True)


def test_a_journal_of_another_bundle_is_begun_anew(tmp_path: Path) -> None:
    stopped(tmp_path / "o.csv", FINE)
    other = Journal(tmp_path / "o.csv", {**MADE_BY, "bundle": "c"})
    assert (other.done, list(other.read())) == (set(), [])
    other.close(finished=True)


def test_a_killed_prediction_goes_on_and_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    bundle, folder = gray_bundle(tmp_path / "b"), tmp_path / "images"
    folder.mkdir()
    for number in range(400):
        (folder / f"{number:03}.png").write_bytes(png(number % 256, (400, 300)))
    command = [sys.executable, "-m", "medistill", "predict", bundle, folder, "--batch-size", "4"]

    def predict(out: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*map(str, command), "--out", str(out)],
            env={"PYTHONPATH": str(SRC)},
            stderr=subprocess.PIPE,
            text=True,
        )

    out, journal = tmp_path / "o.csv", tmp_path / "o.csv.partial"
    killed = predict(out)
    while not journal.exists() or journal.read_bytes().count(b"\n") < 20:
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    assert not out.exists()
    said = predict(out).communicate(timeout=60)[1]
    assert "kept from a stopped run" in said
    predict(tmp_path / "whole.csv").communicate(timeout=60)
    assert out.read_text() == (tmp_path / "whole.csv").read_text()
    assert not journal.exists()

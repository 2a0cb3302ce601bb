from __future__ import annotations

import csv
import dataclasses
import errno
import json
from pathlib import Path

import pytest

from medistill.core.errors import MedistillError, MissingExtraError, UnknownNameError
from medistill.serve.output import (
    check_writable,
    form_of,
    named_refusals,
    prediction_writer,
)
from medistill.serve.predictor import Prediction

CLASSES = ("ill", "well, really")
FINE = Prediction(path='图 "1", a.png', probabilities=(0.25, 0.75), label="well, really")
BAD = Prediction(path="b.png", problem="is damaged")


def test_csv(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with prediction_writer(out, CLASSES) as write:
        write(FINE)
        write(BAD)
    with out.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows == [
        [
            "path",
            "label",
            "ill",
            "well, really",
            "conformal",
            "trusted",
            "reasons",
            "mask",
            "problem",
        ],
        ['图 "1", a.png', "well, really", "0.25", "0.75", "", "", "", "", ""],
        ["b.png", "", "", "", "", "", "", "", "is damaged"],
    ]


def test_json_lines(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with prediction_writer(out, CLASSES) as write:
        write(FINE)
        write(BAD)
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert lines == [
        {
            "path": '图 "1", a.png',
            "label": "well, really",
            "probabilities": {"ill": 0.25, "well, really": 0.75},
            "conformal": None,
            "trusted": None,
            "reasons": [],
            "mask": None,
            "problem": None,
        },
        {
            "path": "b.png",
            "label": None,
            "probabilities": None,
            "conformal": None,
            "trusted": None,
            "reasons": [],
            "mask": None,
            "problem": "is damaged",
        },
    ]


def test_standard_output_takes_csv_unless_told_otherwise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with prediction_writer(None, ("a",)) as write:
        write(Prediction(path="x", probabilities=(1.0,), label="a"))
    assert (
        capsys.readouterr().out
        == "path,label,a,conformal,trusted,reasons,mask,problem\nx,a,1.0,,,,,\n"
    )
    with prediction_writer(None, ("a",), "jsonl") as write:
        write(BAD)
    assert json.loads(capsys.readouterr().out)["problem"] == "is damaged"


def test_small_probabilities_keep_their_digits(tmp_path: Path) -> None:
    with prediction_writer(tmp_path / "o.csv", ("a", "b")) as write:
        write(Prediction(path="x", probabilities=(1.25e-9, 0.123456789), label="b"))
    assert (tmp_path / "o.csv").read_text().splitlines()[1] == "x,b,1.25e-09,0.123456789,,,,,"


def test_a_class_called_like_a_column_keeps_its_own_name_apart(tmp_path: Path) -> None:
    with prediction_writer(tmp_path / "o.csv", ("label", "b")):
        pass
    header = (tmp_path / "o.csv").read_text().strip()
    assert header == "path,label,probability of label,b,conformal,trusted,reasons,mask,problem"


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_a_file_name_that_is_no_text_still_gives_valid_utf_8(tmp_path: Path, ending: str) -> None:
    out = tmp_path / f"out{ending}"
    with prediction_writer(out, ("a",)) as write:
        write(Prediction(path="scan\udcff.png", problem="x"))
    assert "scan\\udcff.png" in out.read_text(encoding="utf-8")


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_an_interrupted_file_never_appears_and_the_old_one_stays(
    tmp_path: Path, ending: str
) -> None:
    out = tmp_path / f"out{ending}"
    out.write_text("old")

    def write_half() -> None:
        with prediction_writer(out, CLASSES) as write:
            write(FINE)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_an_unknown_ending_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        UnknownNameError, match=r"Did you mean '.jsonl'\? Known: .csv, .jsonl, .parquet"
    ):
        form_of(Path("out.json"))
    assert form_of(Path("OUT.CSV")) == "csv"


def test_a_place_that_cannot_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    with (
        pytest.raises(MedistillError, match="does not exist"),
        prediction_writer(tmp_path / "no" / "out.csv", CLASSES),
    ):
        pytest.fail("entered")
    (tmp_path / "out.csv").mkdir()
    with (
        pytest.raises(MedistillError, match="is a folder"),
        prediction_writer(tmp_path / "out.csv", CLASSES),
    ):
        pytest.fail("entered")


SURE = Prediction(
    path="c.png",
    probabilities=(0.9, 0.1),
    label="ill",
    conformal=("ill", "well, really"),
    trusted=False,
    reasons=("It is strange.",),
)


def test_decisions_in_csv(tmp_path: Path) -> None:
    with prediction_writer(tmp_path / "o.csv", CLASSES) as write:
        write(SURE)
    with (tmp_path / "o.csv").open(newline="") as stream:
        row = next(csv.DictReader(stream))
    assert (row["conformal"], row["trusted"]) == ("ill; well, really", "no")
    assert row["reasons"] == "It is strange."


def test_parquet_holds_the_same_with_types(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    with prediction_writer(tmp_path / "o.parquet", CLASSES) as write:
        for found in (FINE, BAD, SURE):
            write(found)
    table = parquet.read_table(tmp_path / "o.parquet").to_pydict()
    assert table["path"] == [FINE.path, "b.png", "c.png"]
    assert table["ill"] == [0.25, None, 0.9]
    assert table["trusted"] == [None, None, False]
    assert table["problem"] == [None, "is damaged", None]


def test_parquet_of_nothing_is_still_a_table(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    with prediction_writer(tmp_path / "o.parquet", CLASSES):
        pass
    assert parquet.read_table(tmp_path / "o.parquet").num_rows == 0


def test_parquet_without_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medistill.serve.output.find_spec", lambda name: None)
    with (
        pytest.raises(MissingExtraError, match=r"medistill\[parquet\]"),
        prediction_writer(tmp_path / "o.parquet", CLASSES),
    ):
        pytest.fail("entered")


def test_every_form_holds_the_same_to_the_last_digit(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    sure = dataclasses.replace(SURE, probabilities=(0.1 + 0.2, 1 / 3), mask_file="m.png")
    for ending in ("csv", "jsonl", "parquet"):
        with prediction_writer(tmp_path / f"o.{ending}", CLASSES) as write:
            for found in (sure, FINE, BAD):
                write(found)
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as stream:
        from_csv = list(csv.DictReader(stream))
    lines = (tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()
    from_json = [json.loads(line) for line in lines]
    from_parquet = parquet.read_table(tmp_path / "o.parquet").to_pylist()
    for plain, line, typed in zip(from_csv, from_json, from_parquet, strict=True):
        assert list(plain) == list(typed)
        for name in CLASSES:
            held = (line["probabilities"] or {}).get(name)
            assert typed[name] == held == (float(plain[name]) if plain[name] else None)
        for key in ("path", "label", "mask", "problem"):
            assert typed[key] == line[key] == (plain[key] or None)
        assert typed["conformal"] == (line["conformal"] and "; ".join(line["conformal"]))
        assert (typed["conformal"] or "") == plain["conformal"]
        assert (typed["reasons"] or "") == " ".join(line["reasons"]) == plain["reasons"]
        said = {True: "yes", False: "no", None: ""}
        assert plain["trusted"] == said[typed["trusted"]] == said[line["trusted"]]


def test_a_file_where_the_folder_should_be_is_named_as_one(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(MedistillError, match=r"a.png' is a file, no folder. Choose another place"):
        check_writable(tmp_path / "a.png" / "x.csv")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), r"cannot be written \(No space left"),
        (
            FileNotFoundError(errno.ENOENT, "No such file"),
            r"written \(No such.*Free space or choose",
        ),
        (
            FileExistsError(errno.EEXIST, "File exists"),
            "a file is in the way. Choose another folder",
        ),
    ],
)
def test_what_a_disk_refuses_is_one_sentence(error: OSError, said: str) -> None:
    with (
        pytest.raises(MedistillError, match=f"place: .*{said}.*with --out"),
        named_refusals("place", "--out"),
    ):
        raise error


def test_a_reader_that_has_seen_enough_is_no_refusal() -> None:
    with pytest.raises(BrokenPipeError), named_refusals("place", "--out"):
        raise BrokenPipeError

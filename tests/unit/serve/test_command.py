from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from PIL import Image

from medistill.core.errors import BundleError, MedistillError, UnknownNameError
from medistill.serve import command, output
from medistill.serve.command import predict_command
from tests.unit.bundle.handmade import gray_bundle
from tests.unit.serve.segmenting import segmenting_bundle

SRC = Path(__file__).parents[3] / "src"

BLOCKED = ("torch", "scipy", "sklearn", "matplotlib", "pandas", "timm", "onnx", "pydantic")
COLD_START = f"""
import sys, time

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BLOCKED!r}:
            raise ImportError(name + " must not be imported to predict")

sys.meta_path.insert(0, Refuse())
from pathlib import Path
from medistill.serve.command import predict_command
code = predict_command(Path(sys.argv[1]), [Path(sys.argv[2])], threads=1)
assert not set({BLOCKED!r}) & set(sys.modules)
sys.stderr.write(str(time.process_time()))
sys.exit(code)
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return gray_bundle(tmp_path / "bundle")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    Image.new("L", (512, 400), 51).save(path)
    return path


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_one_bad_input_is_listed_and_the_command_succeeds(
    bundle: Path, picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    code = predict_command(bundle, [picture, tmp_path / "none.png"], out, threads=1)
    assert code == 0
    assert [row[1] for row in rows(out)] == ["label", "ill", ""]
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("1 image predicted in ")
    why = f"{tmp_path / 'none.png'}: there is no such file"
    assert said.err.endswith(f", 1 input could not be read ({why}) -> {out}\n")
    assert said.err.count("\n") == 1


def test_exit_code_2_when_every_input_failed(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    missing = [tmp_path / "x.png", tmp_path / "y.png"]
    assert predict_command(bundle, missing, out) == 2
    assert len(rows(out)) == 3
    why = f"2 inputs could not be read (first {missing[0]}: there is no such file)"
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("name", [None, "out.csv"])
def test_a_name_too_long_for_the_disk_is_the_fault_of_the_input(
    bundle: Path,
    picture: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str | None,
) -> None:
    out = None if name is None else tmp_path / name
    assert predict_command(bundle, [tmp_path / ("x" * 300), picture], out, threads=1) == 0
    assert "x: cannot be opened (File name too long))" in capsys.readouterr().err


def test_exit_code_2_for_an_empty_folder(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out.csv"
    assert predict_command(bundle, [tmp_path / "empty"], out) == 2
    assert "holds no image" in rows(out)[1][-1]


def test_a_wrong_option_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    with pytest.raises(MedistillError, match="--batch-size: 0 is impossible"):
        predict_command(nothing, [], batch_size=0)
    with pytest.raises(MedistillError, match="--threads: -1 is impossible"):
        predict_command(nothing, [], threads=-1)
    with pytest.raises(UnknownNameError, match="--out"):
        predict_command(nothing, [], tmp_path / "out.xlsx")
    with pytest.raises(BundleError, match="there is no such bundle"):
        predict_command(nothing, [])


def test_a_full_disk_is_one_sentence(
    bundle: Path, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output, "atomic_file", full)
    with pytest.raises(MedistillError, match=r"cannot be written \(No space left on device\)"):
        predict_command(bundle, [picture], tmp_path / "out.csv")


def scans(folder: Path, gray: int, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        Image.new("L", (8, 8), gray).save(folder / name)
    return folder


def stop(bundle: Path, inputs: list[Path], out: Path, **options: Any) -> None:
    """A prediction that is killed between its last image and its table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "prediction_writer", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            predict_command(bundle, inputs, out, threads=1, **options)


@pytest.mark.parametrize("relative", [True, False])
def test_another_folder_with_the_same_out_gets_its_own_answers_alone(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relative: bool
) -> None:
    first = scans(tmp_path / "A", 0, "1.png", "2.png", "only-A.png")
    other = scans(tmp_path / "B", 255, "1.png", "2.png")
    out = tmp_path / "p.csv"
    monkeypatch.chdir(first)
    stop(bundle, [Path() if relative else first], out)
    monkeypatch.chdir(other)
    given = Path() if relative else other
    assert predict_command(bundle, [given], out, threads=1) == 0
    found = {row[0]: float(row[2]) for row in rows(out)[1:]}
    # p(ill) = 1 / (1 + exp(-8 m)): 0.5 of A's black pictures, 0.9997 of B's white ones.
    white = pytest.approx(0.99966465, abs=1e-6)
    assert found == {str(given / "1.png"): white, str(given / "2.png"): white}


def test_a_file_that_was_replaced_is_predicted_again_and_the_rest_is_kept(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = scans(tmp_path / "A", 0, "1.png", "2.png"), tmp_path / "p.csv"
    stop(bundle, [folder], out)
    Image.new("L", (8, 8), 255).save(folder / "1.png")
    predict_command(bundle, [folder], out, threads=1)
    assert "1 image kept from a stopped run" in capsys.readouterr().err
    found = {Path(row[0]).name: float(row[2]) for row in rows(out)[1:]}
    assert found == {"1.png": pytest.approx(0.99966465, abs=1e-6), "2.png": 0.5}


def test_the_same_command_in_another_folder_does_not_point_to_masks_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = scans(tmp_path / "A", 0, "1.png"), tmp_path / "p.csv"
    masking = segmenting_bundle(tmp_path / "masking")
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    stop(masking, [folder], out, masks=Path("masks"))
    monkeypatch.chdir(tmp_path / "there")
    predict_command(masking, [folder], out, threads=1, masks=Path("masks"))
    assert len(list((tmp_path / "there" / "masks").iterdir())) == 1


def run(code: str, *arguments: object, **settings: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(SRC), "PYTHONUTF8": "0", **settings}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        env=environment,  # type: ignore[arg-type]
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_one_image_from_a_cold_start_without_torch_and_within_the_budget(
    bundle: Path, picture: Path
) -> None:
    """In seconds of the processor, start of Python included: the clock also counts others' work."""
    found = run(COLD_START, bundle, picture)
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[1].startswith(f"{picture},ill,0.83201")
    assert float(found.stderr.splitlines()[-1]) < 1.5


def test_a_console_that_knows_no_chinese_gets_escapes(bundle: Path, tmp_path: Path) -> None:
    picture = tmp_path / "图.png"
    Image.new("L", (8, 8), 51).save(picture)
    found = run(COLD_START, bundle, picture, PYTHONIOENCODING="ascii")
    assert found.returncode == 0, found.stderr
    assert r"\u56fe.png,ill" in found.stdout


def test_a_reader_that_stops_early_is_no_error(bundle: Path, picture: Path) -> None:
    code = (
        "import sys; from pathlib import Path; "
        "from medistill.serve.command import predict_command; "
        "sys.exit(predict_command(Path(sys.argv[1]), [Path(sys.argv[2])] * 3000, batch_size=64))"
    )
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    with subprocess.Popen(
        [sys.executable, "-c", code, str(bundle), str(picture)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("path,")
        process.stdout.close()
        said = process.stderr.read()
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
    assert process.returncode == 0

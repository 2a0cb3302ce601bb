import csv
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from medistill.bundle.bundle import open_bundle
from medistill.core.errors import MachineError, RunFolderError, TargetsError
from medistill.core.files import read_json
from medistill.recipe import load_recipe
from medistill.serve.command import predict_command
from medistill.stages.context import SilentReporter
from medistill.stages.data import open_data, prepare_data
from medistill.stages.plan import plan
from medistill.stages.run import distill, export, open_run, run, teach, verify_targets
from medistill.stages.teacher import held_out, member_rows
from tests.unit.stages.conftest import SMALL


def times(folder: Path) -> dict[str, int]:
    kept = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path): path.stat().st_mtime_ns for path in kept if path.name != "recipe.yaml"}


def test_every_stage_leaves_a_manifest_of_what_it_was_made_from(finished: Path) -> None:
    for stage in ("data", "teacher", "seed-0/student", "seed-0/control", "evaluation"):
        manifest = read_json(finished / stage / "manifest.json")
        assert manifest["inputs_hash"]
        assert manifest["seconds"] >= 0


def test_a_second_run_does_nothing(finished: Path) -> None:
    before = times(finished)
    run("demo", out=finished, overrides=SMALL)
    distill(finished)
    export(finished)
    assert times(finished) == before


class Heard(SilentReporter):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        """Keep the line."""
        self.lines.append(text)


def test_single_stages_say_what_comes_next_also_where_all_is_done(finished: Path) -> None:
    heard = Heard()
    teach("demo", out=finished, overrides=SMALL, reporter=heard)
    distill(finished, reporter=heard)
    taught, distilled = (line for line in heard.lines if "'medistill " in line)
    assert taught == f"The teacher is ready; next: 'medistill distill {finished}'."
    command = f"medistill run {finished / 'recipe.yaml'} --out {finished}"
    assert distilled == f"Student and control are trained; '{command}' judges and ships them."


def test_a_changed_value_redoes_what_depends_on_it_and_nothing_else(
    finished: Path, tmp_path: Path
) -> None:
    folder = teach("demo", out=tmp_path / "run", overrides=SMALL)
    before = times(folder)
    teach("demo", out=folder, overrides=(*SMALL, "teacher.fit.lr=2.0e-3"))
    after = times(folder)
    changed = {path for path in before if after.get(path) != before[path]}
    assert any("/teacher/" in path for path in changed)
    assert not any("/data/" in path for path in changed)


def test_the_teacher_is_shown_to_be_frozen(finished: Path) -> None:
    outputs = read_json(finished / "seed-0/student/manifest.json")["outputs"]
    assert outputs["teacher_before"] == outputs["teacher_after"]
    assert (
        outputs["teacher_before"]
        == read_json(finished / "teacher/manifest.json")["outputs"]["weights_hash"]
    )


def test_the_bundle_says_what_the_evaluation_said(finished: Path, tmp_path: Path) -> None:
    with (finished / "evaluation/student.csv").open(newline="") as stream:
        judged = {row["path"]: float(row["p_lesion"]) for row in csv.DictReader(stream)}
    images = sorted((finished / "data/drawn").rglob("images/*.png"))
    chosen = [path for path in images if f"images/{path.name}" in judged]
    assert len(chosen) == len(judged) > 10
    predict_command(finished / "bundle", chosen, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            name = f"images/{Path(row['path']).name}"
            assert float(row["lesion"]) == pytest.approx(judged[name], abs=1e-4)


def test_the_bundle_ships_what_was_fitted_on_calibrate(finished: Path) -> None:
    graph = open_bundle(finished / "bundle").manifest.graph()
    assert graph.calibration.temperature > 0
    assert graph.outputs["pooled"] == "pooled"
    # 18 images are too few for one of these or another; what is missing says why.
    for name in ("conformal", "trust"):
        given = getattr(graph.decisions, name) is not None
        assert given != (name in graph.decisions.refusals)


def test_each_training_image_hears_a_member_that_never_saw_it(finished: Path) -> None:
    context = open_run(finished)
    prepared = prepare_data(context)
    held, hashes = held_out(context, prepared, 0), prepared.store.hashes
    plans = member_rows(context, prepared, 0)
    assert set(held) == {hashes[row] for row in prepared.parts[0].fit}
    for member, (rows, select) in enumerate(plans):
        seen = {hashes[row] for row in (*rows, *select)}
        assert not {content for content, number in held.items() if number == member} & seen
        assert not set(rows) & set(select)


def test_cached_targets_are_verified_and_a_damaged_one_is_found(
    finished: Path, tmp_path: Path
) -> None:
    verify_targets(finished, sample=8)
    shard = next((finished / "targets").rglob("*.npy"))
    kept = shard.read_bytes()
    shard.write_bytes(kept[:-2] + bytes([kept[-2] ^ 0x40, kept[-1] ^ 0x20]))
    try:
        with pytest.raises(TargetsError):
            verify_targets(finished, sample=8)
    finally:
        shard.write_bytes(kept)


def test_drawn_images_are_found_where_the_finished_stage_lies(finished: Path) -> None:
    prepared = prepare_data(open_run(finished))
    assert prepared.images.root.is_dir()
    assert all(sample.path.is_file() for sample in prepared.images.samples)


def test_predictions_name_every_image_once_with_probabilities_that_add_up(finished: Path) -> None:
    with (finished / "evaluation/teacher.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["path"] for row in rows}) == len(rows)
    sums = [float(row["p_normal"]) + float(row["p_lesion"]) for row in rows]
    np.testing.assert_allclose(sums, 1, atol=1e-9)


def test_metrics_tell_sizes_of_teacher_and_student(finished: Path) -> None:
    metrics = json.loads((finished / "evaluation/metrics.json").read_text())
    sizes = metrics["sizes"]
    assert sizes["student"]["parameters"] < sizes["teacher"]["parameters"]
    # Two members answer together; each is as large as the first one's file says.
    with safe_open(finished / "teacher/member-0.safetensors", "pt") as file:
        member = sum(file.get_tensor(name).numel() for name in file.keys())  # noqa: SIM118
    assert sizes["teacher"]["members"] == 2
    assert sizes["teacher"]["parameters"] == 2 * member
    assert "its teacher (all 2 members) has" in metrics["answer"]["cost"]
    assert sizes["student"]["multiply_adds"] > 0
    for role in ("teacher", "student"):
        assert sizes[role]["runtime"] == "onnxruntime, 1 thread"
        assert sizes[role]["latency_ms"] > 0
    assert sizes["student"]["graph_bytes"] < sizes["teacher"]["graph_bytes"]
    # What was timed is what is shipped.
    shipped = finished / "bundle/student.onnx"
    assert sizes["student"]["graph_bytes"] == shipped.stat().st_size
    figures = f"{sizes['student']['parameters']:,} parameters"
    assert figures in metrics["answer"]["cost"]
    assert metrics["answer"]["cost"] in metrics["answer"]["full"]


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="is not a run folder"):
        distill(tmp_path)


def test_unlabelled_phantoms_reach_the_student(finished: Path) -> None:
    prepared = open_data(finished / "data")
    assert len(prepared.unlabelled[0].rows) == 12
    assert not set(prepared.unlabelled[0].rows) & set(prepared.parts[0].fit)


def test_several_processes_are_refused_before_anything_is_written(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    recipe, out = load_recipe("demo", SMALL), tmp_path / "run"
    for command in (
        lambda: run(recipe, out=out),
        lambda: teach(recipe, out=out),
        lambda: distill(finished),
        lambda: plan(recipe, out),
    ):
        with pytest.raises(MachineError, match=r"^srun: started 2 processes"):
            command()
    assert not out.exists()

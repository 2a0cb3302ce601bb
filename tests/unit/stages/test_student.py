"""A finished student answers on the device of the run."""

from __future__ import annotations

from pathlib import Path

import pytest

from medistill.stages import student as stage
from medistill.stages.data import open_data
from medistill.stages.explanation import explain
from medistill.stages.prediction import predict_rows
from medistill.stages.run import open_run
from medistill.stages.student import open_student
from tests.elsewhere import elsewhere


def test_a_student_answers_and_is_explained_on_the_device_of_the_run(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, prepared = open_run(finished), open_data(finished / "data")
    rows = prepared.parts[0].evaluate[:5]
    network = open_student(context, prepared, 0, 0, "student")
    expected, shown = predict_rows(network, prepared, rows), explain(prepared, rows, {"a": network})
    with elsewhere() as there:
        monkeypatch.setattr(stage, "run_device", lambda: there)
        network = open_student(context, prepared, 0, 0, "student")
        assert {each.device for each in network.state_dict().values()} == {there}
        found = predict_rows(network, prepared, rows)
        again = explain(prepared, rows, {"a": network})
    assert found == pytest.approx(expected, abs=1e-6)
    assert shown is not None
    assert again is not None
    assert again.values["images"] == shown.values["images"]

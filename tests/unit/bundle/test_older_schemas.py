from __future__ import annotations

from typing import Any

import pytest

from medistill.bundle.older_schemas import upgraded
from medistill.bundle.schema import manifest_from_json
from tests.unit.bundle.handmade import document

TRIAL = {
    "metric": None,
    "sensitivity": {},
    "sensitivity_bound": 0.02,
    "agreement_bound": 0.99,
    "reference": "fp32",
    "ratio": 2.0,
    "speeds": [],
}


def version_3() -> dict[str, Any]:
    body = document(b"", schema=3)
    del body["parameters"], body["multiply_adds"], body["graphs"][0]["batch"]
    body["graphs"][0]["trial"] = dict(TRIAL)
    return body


def test_version_3_knew_neither_size_nor_memory() -> None:
    manifest = manifest_from_json(version_3())
    trial = manifest.graph().trial
    assert manifest.parameters is None
    assert manifest.graph().batch == "dynamic"
    assert trial is not None
    assert (trial.ratio, trial.memory_bytes, trial.file_bytes) == (2.0, None, None)


def test_the_present_version_is_left_alone() -> None:
    body = {"graphs": [{"trial": {}}]}
    assert upgraded(body, 4) is body


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("graphs", [None, [None], [{}]])
def test_what_is_of_the_wrong_form_is_left_to_be_refused(version: int, graphs: object) -> None:
    with pytest.raises(ValueError, match="graphs"):
        manifest_from_json({**version_3(), "schema": version, "graphs": graphs})

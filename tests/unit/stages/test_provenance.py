from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from medistill.bundle.bundle import open_bundle
from medistill.core.files import read_json
from medistill.stages.evaluation import EVALUATION
from medistill.stages.provenance import bundle_origin, energy_estimate, judged_on

OTHER: Any = SimpleNamespace(
    store=SimpleNamespace(data_hash="e" * 64), images=SimpleNamespace(name="table")
)


def test_the_other_set_stands_beside_what_made_the_model() -> None:
    found = judged_on({"data": "a" * 64, "layout": "folders"}, OTHER)
    assert (found["data"], found["layout"]) == ("a" * 64, "folders")
    own = found["evaluated"]
    assert (own["data"], own["layout"]) == ("e" * 64, "table")
    assert own["versions"]["medistill"]
    assert own["hardware"]["threads"] >= 1


def test_a_report_a_bundle_and_the_weights_file_can_be_tied(finished: Path) -> None:
    made = read_json(finished / EVALUATION / "metrics.json")["provenance"]
    bundle = open_bundle(finished / "bundle")
    (name,) = (each for each in made["tensors"] if each.endswith("seed-0/student"))
    assert made["tensors"][name] == bundle.manifest.provenance.student
    file = (finished / name / "weights.safetensors").read_bytes()
    assert made["weights"][name] == hashlib.sha256(file).hexdigest()
    assert set(made["tensors"]) == set(made["weights"])
    said = bundle_origin(bundle)
    assert said["bundle"] == read_json(finished / "bundle/bundle.json")["identity"]
    for key in ("recipe", "data"):
        assert said[key] == made[key]
    assert [said["teacher"]] == made["teacher"]


def test_energy_is_watt_hours_with_its_assumption() -> None:
    # Two threads of 15 W for half an hour.
    assert energy_estimate(1800, 2) == (
        "about 15 Wh, if 2 threads drew 15 W each for 1800 s; not measured"
    )

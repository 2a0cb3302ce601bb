from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medistill.bundle.schema import Parity
from medistill.bundle.trial import MetricChange, Trial
from medistill.export import gate
from medistill.export.examples import Reference
from medistill.export.fidelity import Fidelity
from medistill.export.gate import Bounds, judge, runner
from medistill.export.variants import Variant
from tests.unit.export.judged import LOGITS, Plain, examples


def moved(change: float) -> MetricChange:
    return MetricChange(name="auroc", change=change, low=None, high=None)


def trial(ratio: float = 2.0, **sensitivity: float) -> Trial:
    return Trial(
        metric=moved(0.0),
        sensitivity=sensitivity,
        sensitivity_bound=0.02,
        agreement_bound=0.99,
        reference="fp32",
        ratio=ratio,
        speeds=(),
        memory_bytes=None,
        file_bytes=None,
    )


@pytest.mark.parametrize(
    ("agreement", "tried", "refusal"),
    [
        (1.0, trial(), None),
        (0.9899, trial(), "its labels agree on 98.99% of the images, below 99%"),
        (0.99, trial(ill=-0.02), None),
        (0.98, trial(), "its labels agree on 98.00% of the images, below 99%"),
        (float("nan"), trial(), "its labels agree on nan%"),
        (1.0, trial(ill=-0.03), "its sensitivity for ill is 0.030 lower, more than 0.02"),
        (1.0, trial(0.9), "it runs 0.90 times as fast as fp32, below 1.05"),
    ],
)
def test_who_may_leave(agreement: float, tried: Trial, refusal: str | None) -> None:
    said = gate._refusal(found(tried, agreement), tried, Bounds())
    assert (said is None) if refusal is None else (said or "").startswith(refusal)


def found(tried: Trial, agreement: float = 1.0, **changes: Any) -> Fidelity:
    parity = Parity(largest_difference=0.1, agreement=agreement, images=4, bound=1.0)
    figures = {"metric": tried.metric, "sensitivity": tried.sensitivity, "specificity": {}}
    return Fidelity(parity=parity, **{**figures, **changes})


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"metric": moved(0.535 - 0.933)}, "its auroc is 0.398 lower, more than 0.01"),
        ({"metric": moved(float("nan"))}, "its auroc is nan lower, more than 0.01"),
        ({"metric": moved(-0.01)}, None),
        ({"metric": None}, None),
        ({"specificity": {"ill": -0.03}}, "its specificity for ill is 0.030 lower, more than 0.02"),
        ({"specificity": {"ill": -0.02}}, None),
    ],
)
def test_labels_that_agree_do_not_let_a_ruined_variant_out(
    changes: dict[str, Any], refusal: str | None
) -> None:
    assert gate._refusal(found(trial(), **changes), trial(), Bounds()) == refusal


def test_a_runner_joins_batches() -> None:
    class Engine:
        def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            assert len(inputs["image"]) <= 32
            return [inputs["image"].mean((2, 3)) for _ in outputs]

    images = np.arange(70, dtype=np.float32).reshape(70, 1, 1, 1)
    found = runner(Engine(), {"logits": "logits", "p": "pooled"})(images)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found["pooled"][:, 0], np.arange(70))


class Moody:
    """An engine whose kernel for one image is another than that for several."""

    def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        rows = inputs["image"][:, 0, 0, 0].astype(int)
        logits = LOGITS[rows].copy()
        return [logits[:, ::-1] if rows.tolist() == [1] else logits]


def test_a_variant_is_judged_by_single_images_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(gate, "open_files", lambda *_: Moody())
    monkeypatch.setattr(gate, "measured", lambda *_: (2.0, ()))
    monkeypatch.setattr(gate, "footprint", lambda *_, **__: None)
    shown = np.arange(4, dtype=np.float32)[:, None, None, None] * np.ones((1, 1, 2, 2), np.float32)
    (tmp_path / "g").write_bytes(b"graph")
    found = judge(
        Variant(name="v", precision="int8", runtime="onnxruntime", files=("g",), opset=18),
        tmp_path,
        {"logits": "logits"},
        reference=Reference(logits=LOGITS, decided=Plain(), engines={}),
        examples=dataclasses.replace(examples([0, 0, 1, 1]), images=shown),
        bounds=Bounds(agreement=0.7),
    )
    assert found.parity.agreement == 0.75  # in batches all four agree
    assert found.trial.sensitivity == {"ill": -0.5, "well": 0.0}
    assert found.refusal == "its sensitivity for ill is 0.500 lower, more than 0.02"
    assert found.batch_difference == pytest.approx(0.4621171, abs=1e-6)  # .731 and .269
    assert found.batched[1].tolist() == found.alone[1].tolist()[::-1]

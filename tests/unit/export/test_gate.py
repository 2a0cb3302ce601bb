from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from medistill.bundle.calibration import Calibration
from medistill.bundle.decisions import Decisions
from medistill.bundle.schema import Parity
from medistill.bundle.trial import MetricChange, Trial
from medistill.export import gate
from medistill.export.gate import Bounds, Examples, Reference, runner

LOGITS = np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 2.0]])


@dataclasses.dataclass(frozen=True)
class Plain:
    calibration: Calibration = Calibration()
    thresholds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    decisions: Decisions = Decisions()


def examples(labels: object) -> Examples:
    return Examples(
        task="single-label",
        classes=("ill", "well"),
        images=np.zeros((4, 1, 2, 2), np.float32),
        labels=np.array(labels),
        quantise=np.zeros((1, 1, 2, 2), np.float32),
        control=np.zeros((1, 1, 2, 2), np.float32),
        decide=lambda run: Plain(),
        compare=lambda first, second: None,
    )


def test_parity_by_hand() -> None:
    other = LOGITS.copy()
    other[1] = [0.0, 1.0]  # one of four labels turns; .731 becomes .269
    reference = Reference(logits=LOGITS, decided=Plain(), engines={})
    found = gate._parity(reference, other, examples([0, 0, 1, 1]))
    assert found.agreement == 0.75
    assert found.largest_difference == pytest.approx(0.4621171, abs=1e-6)


def test_sensitivity_is_that_of_each_ones_own_operating_point() -> None:
    reference = Reference(logits=LOGITS, decided=Plain(), engines={})
    strict = Plain(thresholds={"ill": 0.8, "well": 0.2})
    changes = gate._sensitivity_changes(reference, LOGITS, strict, examples([0, 0, 1, 1]))
    assert changes == {"ill": -0.5, "well": 0.0}  # .731 is below .8
    assert set(gate._sensitivity_changes(reference, LOGITS, strict, examples([0] * 4))) == {"ill"}


def trial(ratio: float = 2.0, **sensitivity: float) -> Trial:
    return Trial(
        metric=MetricChange(name="auroc", change=0.0, low=None, high=None),
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
        (0.99, trial(ill=-0.02), None),
        (0.98, trial(), "its labels agree on 98.0% of the images, below 99%"),
        (float("nan"), trial(), "its labels agree on nan%"),
        (1.0, trial(ill=-0.03), "its sensitivity for ill is 0.030 lower, more than 0.02"),
        (1.0, trial(0.9), "it runs 0.90 times as fast as fp32, below 1.05"),
    ],
)
def test_who_may_leave(agreement: float, tried: Trial, refusal: str | None) -> None:
    parity = Parity(largest_difference=0.1, agreement=agreement, images=4, bound=1.0)
    said = gate._refusal(parity, tried, Bounds())
    assert (said is None) if refusal is None else (said or "").startswith(refusal)


def test_a_runner_joins_batches() -> None:
    class Engine:
        def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            assert len(inputs["image"]) <= 32
            return [inputs["image"].mean((2, 3)) for _ in outputs]

    images = np.arange(70, dtype=np.float32).reshape(70, 1, 1, 1)
    found = runner(Engine(), {"logits": "logits", "p": "pooled"})(images)  # type: ignore[arg-type]
    np.testing.assert_array_equal(found["pooled"][:, 0], np.arange(70))


def test_every_pixel_of_a_mask_counts() -> None:
    # Two images of one pixel a class; the variant loses the only pixel of "ill" in the second.
    logits = np.array([[[[3.0, 0.0]], [[0.0, 3.0]]], [[[3.0, 0.0]], [[0.0, 3.0]]]])
    lost = logits.copy()
    lost[1, :, 0, 0] = [0.0, 3.0]
    masks = dataclasses.replace(
        examples([[[0, 1]], [[0, 255]]]), task="segmentation", images=np.zeros((2, 1, 1, 2))
    )
    reference = Reference(logits=logits, decided=Plain(), engines={})
    assert gate._parity(reference, lost, masks).agreement == 0.75
    changes = gate._sensitivity_changes(reference, lost, Plain(), masks)
    assert changes == {"ill": -0.5, "well": 0.0}

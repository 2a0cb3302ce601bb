from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from medistill.bundle.schema import Parity
from medistill.bundle.trial import MetricChange
from medistill.export import fidelity
from medistill.export.examples import Reference
from medistill.export.fidelity import Fidelity, worst
from tests.unit.export.judged import LOGITS, Plain, examples


def test_parity_by_hand() -> None:
    other = LOGITS.copy()
    other[1] = [0.0, 1.0]  # one of four labels turns; .731 becomes .269
    reference = Reference(logits=LOGITS, decided=Plain(), engines={})
    found = fidelity._parity(reference, other, examples([0, 0, 1, 1]))
    assert found.agreement == 0.75
    assert found.largest_difference == pytest.approx(0.4621171, abs=1e-6)


def test_sensitivity_is_that_of_each_ones_own_operating_point() -> None:
    reference = Reference(logits=LOGITS, decided=Plain(), engines={})
    strict = Plain(thresholds={"ill": 0.8, "well": 0.2})
    changes, _ = fidelity._changes(reference, LOGITS, strict, examples([0, 0, 1, 1]))
    assert changes == {"ill": -0.5, "well": 0.0}  # .731 is below .8
    present, absent = fidelity._changes(reference, LOGITS, strict, examples([0] * 4))
    assert (set(present), set(absent)) == ({"ill"}, {"well"})


def test_specificity_is_of_what_is_known_to_lack_the_label() -> None:
    """Four images, the last of unknown label; the variant finds "ill" in one that has none."""
    nan = float("nan")
    labels = dataclasses.replace(examples([[1, 0], [0, 0], [0, 0], [nan, 0]]), task="multi-label")
    quiet = np.array([[2.0, -2.0], [-2.0, -2.0], [-2.0, -2.0], [-2.0, -2.0]])
    loud = quiet.copy()
    loud[1:, 0] = [2.0, -2.0, 2.0]
    reference = Reference(logits=quiet, decided=Plain(), engines={})
    present, absent = fidelity._changes(reference, loud, Plain(), labels)
    assert present == {"ill": 0.0}
    assert absent == {"ill": pytest.approx(-0.5), "well": 0.0}


def test_every_pixel_of_a_mask_counts() -> None:
    # Two images of one pixel a class; the variant loses the only pixel of "ill" in the second.
    logits = np.array([[[[3.0, 0.0]], [[0.0, 3.0]]], [[[3.0, 0.0]], [[0.0, 3.0]]]])
    lost = logits.copy()
    lost[1, :, 0, 0] = [0.0, 3.0]
    masks = dataclasses.replace(
        examples([[[0, 1]], [[0, 255]]]), task="segmentation", images=np.zeros((2, 1, 1, 2))
    )
    reference = Reference(logits=logits, decided=Plain(), engines={})
    assert fidelity._parity(reference, lost, masks).agreement == 0.75
    present, absent = fidelity._changes(reference, lost, Plain(), masks)
    assert present == {"ill": -0.5, "well": 0.0}
    assert absent == {"ill": 0.0, "well": -0.5}  # the pixel that does not count is in neither


def found(difference: float, agreement: float, change: float, ill: float) -> Fidelity:
    return Fidelity(
        parity=Parity(largest_difference=difference, agreement=agreement, images=4, bound=1.0),
        metric=MetricChange(name="auroc", change=change, low=None, high=None),
        sensitivity={"ill": ill},
        specificity={"ill": ill / 2},
    )


def test_the_worst_of_each_figure_counts() -> None:
    both = worst([found(0.1, 0.9, 0.01, -0.5), found(0.2, 1.0, -0.01, 0.0)])
    assert (both.parity.largest_difference, both.parity.agreement) == (0.2, 0.9)
    assert both.metric is not None
    assert (both.metric.change, both.sensitivity) == (-0.01, {"ill": -0.5})
    assert both.specificity == {"ill": -0.25}
    broken = worst([found(0.1, 1.0, 0.0, 0.0), found(1.0, float("nan"), 0.0, float("nan"))])
    assert np.isnan(broken.parity.agreement)
    assert np.isnan(broken.sensitivity["ill"])

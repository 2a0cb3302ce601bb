from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from medistill.bundle.bundle import open_bundle
from medistill.bundle.conformal import Conformal
from medistill.bundle.decisions import Decisions
from medistill.bundle.schema import Manifest
from medistill.bundle.trust import Scale, TrustGate
from medistill.serve.deciding import decided
from medistill.serve.prediction import Prediction
from tests.unit.bundle.handmade import gray_bundle


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return open_bundle(gray_bundle(tmp_path / "b")).manifest


def say(
    manifest: Manifest, logits: list[object], foreign: int | None = None, **decisions: object
) -> list[Prediction]:
    graph = dataclasses.replace(manifest.graph(), decisions=Decisions(**decisions))  # type: ignore[arg-type]
    values = np.array(logits, np.float32)
    names, shapes = [str(n) for n in range(len(values))], [(2, 2)] * len(values)
    return decided(
        manifest,
        graph,
        names=names,
        shapes=shapes,
        foreign=[("It is foreign.",) if n == foreign else () for n in range(len(values))],
        logits=values,
        pooled=None,
    )


def test_the_conformal_set_holds_what_cannot_be_ruled_out(manifest: Manifest) -> None:
    # p = .731 and .269 from logits 1 and 0; scores 1 - p are .269 and .731.
    quantiles = {"ill": 0.3, "well": 0.8}
    groups = {"ill": 20, "well": 20}
    fitted = Conformal(level=0.9, quantiles=quantiles, absent={}, groups=groups, absent_groups={})
    both, neither = say(manifest, [[1, 0], [0, 3]], conformal=fitted)
    assert both.conformal == ("ill", "well")
    assert neither.conformal == ("well",)


def test_a_strange_image_is_not_to_be_trusted_and_says_why(manifest: Manifest) -> None:
    # Energy is -logsumexp: -ln 2 for logits 0 and 0, about -50 for 50 and 0.
    gate = TrustGate(
        energy=Scale(centre=-50, spread=10),
        distance=None,
        features=None,
        threshold=2.0,
        false_alarms=0.05,
        groups=40,
    )
    strange, known = say(manifest, [[0, 0], [50, 0]], trust=gate)
    assert strange.trusted is False
    assert strange.reasons[0].endswith("(score 4.9, limit 2.0).")
    assert (known.trusted, known.reasons) == (True, ())
    assert strange.label == "ill"


def test_a_foreign_picture_is_not_to_be_trusted_whatever_the_gate_says(manifest: Manifest) -> None:
    foreign, own = say(manifest, [[50, 0], [50, 0]], foreign=0)
    assert (foreign.trusted, foreign.reasons) == (False, ("It is foreign.",))
    assert (own.trusted, own.reasons) == (None, ())
    gate = TrustGate(
        energy=Scale(centre=-50, spread=10),
        distance=None,
        features=None,
        threshold=2.0,
        false_alarms=0.05,
        groups=40,
    )
    known, strange = say(manifest, [[50, 0], [0, 0]], foreign=1, trust=gate)
    assert (known.trusted, known.reasons) == (True, ())
    assert strange.reasons[0] == "It is foreign."
    assert "(score 4.9, limit 2.0)" in strange.reasons[1]


def test_what_was_not_fitted_is_not_said(manifest: Manifest) -> None:
    (found,) = say(manifest, [[1, 0]])
    assert (found.conformal, found.trusted, found.reasons) == (None, None, ())


def test_a_number_that_is_not_finite_is_a_problem_of_its_image_alone(manifest: Manifest) -> None:
    bad, good = say(manifest, [[np.nan, 1], [2, 1]])
    assert (bad.problem, bad.probabilities) == ("the graph gave no finite number", None)
    assert (good.problem, good.label) == (None, "ill")


def test_masks_by_hand(manifest: Manifest) -> None:
    masks = dataclasses.replace(manifest, task="segmentation")
    logits = np.zeros((2, 2, 2, 2))
    logits[:, 0] = 1  # the first class everywhere,
    logits[0, 1, 0, 0] = 2  # but for one pixel of the first image
    some, none = say(masks, logits.tolist())
    assert (some.label, some.probabilities) == ("well", (0.75, 0.25))
    assert (none.label, none.probabilities) == ("ill", (1.0, 0.0))
    assert some.mask is not None
    np.testing.assert_array_equal(some.mask, [[1, 0], [0, 0]])

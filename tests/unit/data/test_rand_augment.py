from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from medistill.core.errors import RecipeError
from medistill.data.rand_augment import RandAugment, apply_operations, draw_operations
from medistill.data.views import ViewPolicy, draw_view, render_view

DEIT = "rand-m9-mstd0.5-inc1"
HASH = "ab" * 32


def test_timms_notation_is_read() -> None:
    assert RandAugment.read(DEIT) == RandAugment(magnitude=9, spread=0.5, count=2)
    assert RandAugment.read("rand-m7-n3-inc1") == RandAugment(magnitude=7, spread=0, count=3)


@pytest.mark.parametrize(
    "text", ["rand-m9-mstd0.5", "rand-m11-inc1", "rand-m9-inc0", "augmix-m3", "rand-x3-inc1"]
)
def test_other_notations_are_refused_with_the_cure(text: str) -> None:
    with pytest.raises(RecipeError, match=r"views.rand_augment: .*rand-m9-mstd0\.5-inc1"):
        ViewPolicy(rand_augment=text)


def test_strengths_by_hand() -> None:
    """The fifteen operations at level 9 of 10 without spread, to either side."""
    policy = RandAugment(magnitude=9, spread=0, count=1)
    found = {}
    for index in range(15):
        for side in (0.2, 0.8):
            (drawn,) = draw_operations(policy, [(index + 0.5) / 15, 0.0, 0.3, 0.3, side])
            found.setdefault(drawn[0], []).append(drawn[1])
    assert found == {
        "auto_contrast": [0, 0],
        "equalize": [0, 0],
        "invert": [0, 0],
        "rotate": [27, -27],
        "posterize": [1, 1],
        "solarize": [26, 26],
        "solarize_add": [99, 99],
        "color": [pytest.approx(1.81), pytest.approx(0.19)],
        "contrast": [pytest.approx(1.81), pytest.approx(0.19)],
        "brightness": [pytest.approx(1.81), pytest.approx(0.19)],
        "sharpness": [pytest.approx(1.81), pytest.approx(0.19)],
        "shear_x": [pytest.approx(0.27), pytest.approx(-0.27)],
        "shear_y": [pytest.approx(0.27), pytest.approx(-0.27)],
        "translate_x": [pytest.approx(0.405), pytest.approx(-0.405)],
        "translate_y": [pytest.approx(0.405), pytest.approx(-0.405)],
    }


def test_draws_have_timms_distribution() -> None:
    policy = ViewPolicy(rand_augment=DEIT)
    views = [draw_view(policy, content_hash=HASH, view=number) for number in range(1, 3001)]
    counts = Counter(name for view in views for name, _ in view.operations)
    assert len(counts) == 15
    assert sum(counts.values()) / len(views) == pytest.approx(1.0, abs=0.05)  # 2 x 1/2
    assert max(counts.values()) < 1.5 * min(counts.values())
    degrees = np.array([a for view in views for name, a in view.operations if name == "rotate"])
    # Level 9, deviation .5, cut at 10: the mean of |angle| is 3 (9 - .5 E[max(0, z - 2)]).
    cut = math.exp(-2) / math.sqrt(2 * math.pi) - 2 * 0.5 * math.erfc(math.sqrt(2))
    assert np.abs(degrees).mean() == pytest.approx(3 * (9 - 0.5 * cut), abs=0.3)
    assert np.abs(degrees).max() <= 30
    assert 0.4 < (degrees > 0).mean() < 0.6


def test_other_draws_and_the_hash_of_policies_without_it_stay_as_they_were() -> None:
    plain = ViewPolicy()
    views = [
        draw_view(p, content_hash=HASH, view=7) for p in (plain, replace(plain, rand_augment=DEIT))
    ]
    assert replace(views[1], operations=()) == views[0]
    assert plain.hash != replace(plain, rand_augment=DEIT).hash
    assert replace(plain, rand_augment=None).hash == plain.hash


def test_a_view_is_painted_through_its_operations() -> None:
    stored = np.full((16, 16), 65535 // 4, np.uint16)
    policy = ViewPolicy(scale=(1, 1), aspect=(1, 1), flip=False, rotate_degrees=0)
    view = replace(
        draw_view(policy, content_hash=HASH, view=1),
        brightness=1.0,
        contrast=1.0,
        gamma=1.0,
        operations=(("invert", 0.0),),
    )
    painted = render_view(stored, view, size=8, fit="stretch")
    np.testing.assert_allclose(painted, 0.75, atol=1 / 255)


def test_no_operation_keeps_every_bit() -> None:
    image = np.random.default_rng(0).random((1, 8, 8)).astype(np.float32)
    assert apply_operations(image, ()) is image

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from medistill.core.errors import RecipeError
from medistill.data.views import ViewPolicy, draw_view, uniforms, view_of_pass

HASH = "ab" * 32
ALL_ON = ViewPolicy(shear_degrees=10, noise=0.1, blur=0.02, erase=0.5)


def test_uniforms_are_numpys_own_of_the_same_generator() -> None:
    key = 2**100 + 7
    expected = np.random.Generator(np.random.Philox(key=key)).random(50)
    np.testing.assert_array_equal(uniforms(key, 50), expected)


def test_passes_cycle_through_the_augmented_views() -> None:
    assert [view_of_pass(p, 3) for p in range(7)] == [1, 2, 3, 1, 2, 3, 1]


def test_view_0_is_the_identity_under_any_policy() -> None:
    view = draw_view(ALL_ON, content_hash=HASH, view=0)
    assert (view.extent, view.centre, view.flip) == ((1.0, 1.0), (0.5, 0.5), False)
    assert (view.brightness, view.contrast, view.gamma) == (1.0, 1.0, 1.0)
    assert (view.rotation, view.shear, view.noise, view.blur, view.erase) == (0, 0, 0, 0, None)


def test_the_same_view_is_drawn_again_whatever_was_drawn_between() -> None:
    first = draw_view(ALL_ON, content_hash=HASH, view=3)
    np.random.seed(1)
    draw_view(ALL_ON, content_hash=HASH, view=2)
    assert draw_view(ALL_ON, content_hash=HASH, view=3) == first


@pytest.mark.parametrize(
    "other",
    [{"content_hash": "cd" * 32}, {"view": 4}, {"policy": replace(ALL_ON, seed=1)}],
    ids=["content", "view", "seed"],
)
def test_content_view_and_seed_each_change_the_draw(other: dict[str, Any]) -> None:
    same: dict[str, Any] = {"policy": ALL_ON, "content_hash": HASH, "view": 3}
    first, second = (draw_view(p.pop("policy"), **p) for p in (dict(same), {**same, **other}))
    assert first.centre != second.centre
    assert first.rotation != second.rotation


def test_draws_fill_their_ranges_and_stay_inside() -> None:
    policy = ViewPolicy(shear_degrees=10, noise=0.1, blur=0.02, erase=0.5)
    views = [draw_view(policy, content_hash=HASH, view=v) for v in range(1, 1001)]
    area = np.array([v.extent[0] * v.extent[1] for v in views])
    assert 0.68 < area.min() < 0.72
    assert 0.97 < area.max() <= 1.0
    degrees = np.degrees([v.rotation for v in views])
    assert -15 <= degrees.min() < -14.8
    assert 14.8 < degrees.max() <= 15
    assert 0.45 < np.mean([v.flip for v in views]) < 0.55
    assert 0.45 < np.mean([v.erase is not None for v in views]) < 0.55
    for name, low, high in [
        ("brightness", 0.85, 1.15),
        ("contrast", 0.85, 1.15),
        ("gamma", 1 / 1.15, 1.15),
        ("noise", 0.0, 0.1),
        ("blur", 0.0, 0.02),
        ("shear", -math.tan(math.radians(10)), math.tan(math.radians(10))),
    ]:
        drawn = np.array([getattr(v, name) for v in views])
        margin = 0.01 * (high - low)
        assert low <= drawn.min() < low + margin, name
        assert high - margin < drawn.max() <= high, name


def test_crops_and_erased_boxes_lie_inside_the_image() -> None:
    policy = ViewPolicy(scale=(0.1, 1.0), aspect=(0.5, 2.0), erase=1.0)
    for number in range(1, 300):
        view = draw_view(policy, content_hash=HASH, view=number)
        for centre, extent in zip(view.centre, view.extent, strict=True):
            assert extent / 2 - 1e-12 <= centre <= 1 - extent / 2 + 1e-12
        assert view.erase is not None
        left, top, right, bottom, value = view.erase
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
        assert 0 <= value < 1


@pytest.mark.parametrize(
    "change", [{"flip": False}, {"rotate_degrees": 0.0}, {"erase": 1.0}, {"noise": 0.0}]
)
def test_switching_one_augmentation_leaves_the_other_draws_alone(change: dict[str, Any]) -> None:
    first = draw_view(ALL_ON, content_hash=HASH, view=5)
    second = draw_view(replace(ALL_ON, **change), content_hash=HASH, view=5)
    for name in ("centre", "extent", "brightness", "contrast", "gamma", "blur", "shear", "key"):
        assert getattr(first, name) == getattr(second, name)


def test_the_hash_follows_the_look_of_views_and_not_their_number() -> None:
    assert ViewPolicy(count=2).hash == ViewPolicy(count=9).hash
    others = [
        ViewPolicy(seed=1),
        ViewPolicy(scale=(0.5, 1.0)),
        ViewPolicy(flip=False),
        ViewPolicy(noise=0.1),
        ViewPolicy(fit="pad"),
    ]
    assert len({ViewPolicy().hash, *(each.hash for each in others)}) == 6


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("count", 0),
        ("scale", (0.0, 1.0)),
        ("scale", (0.9, 0.5)),
        ("scale", (0.5, 1.5)),
        ("aspect", (0.0, 1.0)),
        ("rotate_degrees", -1.0),
        ("shear_degrees", 90.0),
        ("brightness", 1.5),
        ("erase", 2.0),
        ("blur", float("nan")),
        ("fit", "squeeze"),
    ],
)
def test_an_impossible_value_is_refused_by_its_key(key: str, value: object) -> None:
    with pytest.raises(RecipeError, match=rf"^views\.{key}: "):
        ViewPolicy(**{key: value})


PROGRAM = """
import hashlib, sys
import numpy as np
from medistill.data.views import ViewPolicy, draw_view, render_view
stored = (np.arange(40 * 52).reshape(40, 52) * 31 % 65536).astype(np.uint16)
policy = ViewPolicy(shear_degrees=10, noise=0.1, blur=0.02, erase=0.5)
numbers = [int(word) for word in sys.argv[1].split(",")]
digests = {}
for number in numbers:
    view = draw_view(policy, content_hash="ab" * 32, view=number)
    for size in (32, 48):
        pixels = render_view(stored, view, size=size, fit="stretch")
        digests[number, size] = hashlib.sha256(pixels.tobytes()).hexdigest()
assert "torch" not in sys.modules
print(sorted(digests.items()))
"""


def test_pixels_are_the_same_bits_in_any_process_and_order() -> None:
    printed = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM, order],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed, order in (("1", "0,1,2,3,4"), ("2", "3,0,4,2,1"))
    ]
    assert printed[0] == printed[1]
    assert printed[0].count("(") == 20

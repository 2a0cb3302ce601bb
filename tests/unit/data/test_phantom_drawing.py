"""The phantom's slices: reproducible, exact in their truth, and not solved by counting grays."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from medistill.core.errors import DataError, UnknownNameError
from medistill.data.phantom import LESIONS, TASKS, PhantomSlice, draw_phantom, lesions_of
from medistill.data.phantom.drawing import draw_patient
from medistill.data.phantom.lesions import MARGIN, place_uniformly


def _lungs(drawn: PhantomSlice) -> NDArray[np.bool_]:
    return drawn.masks["lung-right"] | drawn.masks["lung-left"]


def _grown(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(image.filter(ImageFilter.MaxFilter(2 * pixels + 1))) > 0


def test_a_slice_is_drawn_the_same_every_time() -> None:
    first = draw_phantom(index=7, seed=3, size=64)
    draw_phantom(index=8, seed=3, size=64)
    again = draw_phantom(index=7, seed=3, size=64)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.hounsfield, again.hounsfield)


@pytest.mark.parametrize(("index", "seed"), [(8, 3), (7, 4)])
def test_another_index_or_seed_is_another_slice(index: int, seed: int) -> None:
    one = draw_phantom(index=7, seed=3, size=64).pixels.astype(int)
    other = draw_phantom(index=index, seed=seed, size=64).pixels.astype(int)
    assert np.abs(one - other).mean() > 5


@pytest.mark.parametrize("kind", LESIONS)
def test_a_lesion_changes_nothing_but_its_surroundings(kind: str) -> None:
    for index in range(6):
        healthy = draw_phantom(index=index, seed=0, size=96, lesions=frozenset())
        ill = draw_phantom(index=index, seed=0, size=96, lesions=frozenset({kind}))
        change = ill.hounsfield - healthy.hounsfield
        mask = ill.masks[kind]
        # A soft edge and the scanner's blur reach a few pixels beyond the half-filled ones.
        assert np.abs(change[~_grown(mask, 8)]).max() < 1.0
        assert change[mask].mean() > 60
        assert ill.window == healthy.window


@pytest.mark.parametrize("size", [32, 80])
def test_masks_lie_in_the_lungs_and_exist_exactly_where_labelled(size: int) -> None:
    for index in range(40):
        drawn = draw_phantom(index=index, seed=1, size=size, task="lesions")
        for kind in LESIONS:
            assert drawn.masks[kind].any() == (kind in drawn.lesions)
            assert not (drawn.masks[kind] & ~_lungs(drawn)).any()


def test_lesions_end_at_the_border_of_the_healthy_lungs() -> None:
    for index in range(25):
        healthy = draw_phantom(index=index, seed=1, size=80, lesions=frozenset())
        ill = draw_phantom(index=index, seed=1, size=80, lesions=frozenset(LESIONS))
        np.testing.assert_array_equal(_lungs(ill), _lungs(healthy))


def test_the_picture_is_the_window_of_the_hounsfield_units() -> None:
    drawn = draw_phantom(index=2, seed=0, size=64)
    centre, width = drawn.window
    low, high = centre - width / 2, centre + width / 2
    shown = np.clip((drawn.hounsfield - low) / (high - low) * 255, 0, 255)
    assert np.abs(shown - drawn.pixels).max() < 0.51


def test_tissues_have_their_densities() -> None:
    for index in range(6):
        drawn = draw_phantom(index=index, seed=0, size=128, lesions=frozenset())
        patient, grid = draw_patient(index=index, seed=0, size=128)
        assert -930 < np.median(drawn.hounsfield[_lungs(drawn)]) < -600
        body = np.hypot(grid.x - patient.spine[0], grid.y - patient.spine[1]) < 8
        assert 120 < drawn.hounsfield[body].mean() < 320


def test_both_lungs_are_large_and_differ() -> None:
    shares = []
    for index in range(12):
        drawn = draw_phantom(index=index, seed=0, size=64)
        right, left = drawn.masks["lung-right"].mean(), drawn.masks["lung-left"].mean()
        assert min(right, left) > 0.02
        shares.append(right / (right + left))
    assert np.std(shares) > 0.01


def test_size_changes_the_sampling_and_not_the_patient() -> None:
    for index in range(8):
        small = draw_phantom(index=index, seed=5, size=64, task="lesions")
        large = draw_phantom(index=index, seed=5, size=128, task="lesions")
        assert small.spacing == pytest.approx(2 * large.spacing)
        for name, mask in small.masks.items():
            coarse = large.masks[name].reshape(64, 2, 64, 2).mean((1, 3))
            # Only pixels on a border may differ, and no more than by chance.
            border = _grown(mask, 1) & _grown(~mask, 1)
            assert not (np.abs(coarse - mask) > 0.5)[~border].any()
            assert np.abs(coarse - mask).sum() <= 0.4 * border.sum() + 1


def test_lesions_are_placed_uniformly_over_the_lungs() -> None:
    patient, grid = draw_patient(index=0, seed=0, size=128)
    drawn = draw_phantom(index=0, seed=0, size=128, lesions=frozenset())
    rng = np.random.default_rng(0)
    points = np.array([place_uniformly(rng, patient, grid) for _ in range(2000)], np.float32)
    column, row = (c.astype(int) for c in grid.to_pixels(points[:, 0], points[:, 1]))
    lung = ~_grown(~_lungs(drawn), round(MARGIN / grid.pixel))
    counts = np.histogram2d(row, column, bins=8, range=[[0, 128], [0, 128]])[0]
    expected = 2000 * lung.reshape(8, 16, 8, 16).mean((1, 3)) / lung.mean() / 64
    full = expected > 15
    chi2 = ((counts - expected)[full] ** 2 / expected[full]).sum() / full.sum()
    assert chi2 < 1.6


@pytest.mark.parametrize("task", ["lesion", "lesion-type"])
def test_single_label_tasks_are_balanced_in_drawn_order(task: str) -> None:
    classes = len(TASKS[task].classes)
    drawn = [lesions_of(index=index, seed=0, task=task) for index in range(60 * classes)]
    normal = np.array([not kinds for kinds in drawn]).reshape(60, classes)
    assert (normal.sum(1) == 1).all()
    assert set(normal.argmax(1)) == set(range(classes))
    assert max(len(kinds) for kinds in drawn) == 1


def test_multi_label_lesions_are_independent_and_two_in_five() -> None:
    drawn = [lesions_of(index=index, seed=0, task="lesions") for index in range(1500)]
    table = np.array([[kind in kinds for kind in LESIONS] for kinds in drawn])
    # Three standard errors of a share at n = 1500 are 0.038, of a correlation 0.077.
    assert np.abs(table.mean(0) - 0.4).max() < 0.038
    assert np.abs(np.corrcoef(table.T) - np.eye(3)).max() < 0.077


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"size": 16}, "phantom: size is 16. The least is 32."),
        ({"index": -1}, "phantom: index is -1. The least is 0."),
        ({"seed": -2}, "phantom: seed is -2. The least is 0."),
    ],
)
def test_impossible_numbers_are_named(fault: dict[str, int], message: str) -> None:
    with pytest.raises(DataError) as error:
        draw_phantom(**{"index": 0, "seed": 0, "size": 64, **fault})
    assert str(error.value) == message


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'lesion'"):
        draw_phantom(index=0, seed=0, size=64, task="leson")
    with pytest.raises(UnknownNameError, match="Did you mean 'nodule'"):
        draw_phantom(index=0, seed=0, size=64, lesions=frozenset({"nodul"}))

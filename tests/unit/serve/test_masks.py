from __future__ import annotations

import numpy as np
import pytest
import torch

from medistill.imaging.reader import Picture
from medistill.imaging.resize import render, to_stored
from medistill.serve.masks import area_shares, grown_mask, onto_picture


def test_shares_of_classes() -> None:
    assert area_shares(np.array([[0, 2]], np.uint8), 3) == (0.5, 0.0, 0.5)


@pytest.mark.parametrize("shape", [(300, 41), (16, 16), (7, 520), (1, 1)])
def test_masks_grow_as_torch_grows_them_in_evaluation(shape: tuple[int, int]) -> None:
    logits = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 3, 16, 16)))
    chances = logits.softmax(1)
    grown = torch.nn.functional.interpolate(
        chances, size=shape, mode="bilinear", align_corners=False
    )
    expected = grown[0].argmax(0).numpy()
    # Where two classes are equal to the last digit either may be said.
    assert (grown_mask(chances[0].numpy(), shape) != expected).mean() < 1e-3


def two_classes(mask: np.ndarray) -> np.ndarray:
    return np.stack([1 - mask, mask])


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("shape", [(64, 128), (128, 64), (96, 96)])
def test_a_mask_comes_back_to_where_it_was_drawn(fit: str, shape: tuple[int, int]) -> None:
    """The picture itself is the probability of its own mask at the student's size."""
    height, width = shape
    drawn = np.zeros(shape, np.float32)
    drawn[height // 2 - 16 : height // 2 + 16, width // 2 - 16 : width // 2] = 1
    stored = to_stored(Picture(drawn), stored_size=min(shape), channels="gray")
    seen = render(stored, size=64, fit=fit)[0]  # type: ignore[arg-type]
    back = onto_picture(two_classes(seen), shape, fit)  # type: ignore[arg-type]
    assert back.shape == shape
    assert (back != drawn).mean() < 0.03
    assert abs(int(back.sum()) - 512) < 100


def test_what_a_crop_left_out_is_the_first_class() -> None:
    back = onto_picture(two_classes(np.ones((4, 4), np.float32)), (10, 20), "crop")
    assert back[:, 5:15].all()
    assert not back[:, :5].any()
    assert not back[:, 15:].any()

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.core.errors import MedistillError
from medistill.imaging.reader import Picture
from medistill.imaging.resize import render, to_stored
from medistill.serve.masks import area_shares, class_mask, mask_writer, onto_picture
from medistill.serve.prediction import Prediction


def test_classes_and_their_shares() -> None:
    held = np.array([[[True, False]], [[False, False]], [[False, True]]])
    mask = class_mask(held)
    np.testing.assert_array_equal(mask, [[0, 2]])
    assert area_shares(mask, 3) == (0.5, 0.0, 0.5)


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("shape", [(64, 128), (128, 64), (96, 96)])
def test_a_mask_comes_back_to_where_it_was_drawn(fit: str, shape: tuple[int, int]) -> None:
    """The picture itself, cut at one half, is its own mask at the student's size."""
    height, width = shape
    drawn = np.zeros(shape, np.float32)
    drawn[height // 2 - 16 : height // 2 + 16, width // 2 - 16 : width // 2] = 1
    stored = to_stored(Picture(drawn), stored_size=min(shape), channels="gray")
    seen = (render(stored, size=64, fit=fit)[0] > 0.5).astype(np.uint8)  # type: ignore[arg-type]
    back = onto_picture(seen, shape, fit)  # type: ignore[arg-type]
    assert back.shape == shape
    assert (back != drawn).mean() < 0.03
    assert abs(int(back.sum()) - 512) < 100


def test_what_a_crop_left_out_is_the_first_class() -> None:
    back = onto_picture(np.ones((4, 4), np.uint8), (10, 20), "crop")
    assert back[:, 5:15].all()
    assert not back[:, :5].any()
    assert not back[:, 15:].any()


def test_masks_are_written_in_the_order_of_the_output(tmp_path: Path) -> None:
    write = mask_writer(tmp_path, "segmentation")
    write(Prediction(path="x/a.png", mask=np.array([[0, 2]], np.uint8)))
    write(Prediction(path="x/b.png", problem="is damaged"))
    write(Prediction(path="y/a.png", mask=np.array([[1, 1]], np.uint8)))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["000001-a.png", "000003-a.png"]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / names[0])), [[0, 2]])


def test_masks_of_a_classifier_or_to_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MedistillError, match="--masks: this bundle classifies"):
        mask_writer(tmp_path, "single-label")
    with pytest.raises(MedistillError, match="there is no such folder"):
        mask_writer(tmp_path / "none", "segmentation")

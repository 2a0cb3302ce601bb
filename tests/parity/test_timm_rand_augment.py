"""Our RandAugment changes pictures as timm's does, operation by operation, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from timm.data import auto_augment as theirs

from medistill.data.rand_augment import apply_operations

# Ours, timm's, and arguments of weak and strong operations to either side.
PAIRS = {
    "auto_contrast": (theirs.auto_contrast, (0,)),
    "equalize": (theirs.equalize, (0,)),
    "invert": (theirs.invert, (0,)),
    "rotate": (theirs.rotate, (27.0, -3.0)),
    "posterize": (theirs.posterize, (1, 3)),
    "solarize": (theirs.solarize, (0, 26, 256)),
    "solarize_add": (theirs.solarize_add, (0, 99)),
    "color": (theirs.color, (0.19, 1.81)),
    "contrast": (theirs.contrast, (0.19, 1.81)),
    "brightness": (theirs.brightness, (0.19, 1.81)),
    "sharpness": (theirs.sharpness, (0.19, 1.81)),
    "shear_x": (theirs.shear_x, (0.27, -0.1)),
    "shear_y": (theirs.shear_y, (0.27, -0.1)),
    "translate_x": (theirs.translate_x_rel, (0.405, -0.1)),
    "translate_y": (theirs.translate_y_rel, (0.405, -0.1)),
}
IDLE = {"solarize": 256, "solarize_add": 0}
GEOMETRY = {"rotate", "shear_x", "shear_y", "translate_x", "translate_y"}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", PAIRS)
def test_an_operation_is_timms(name: str, channels: int) -> None:
    theirs_op, arguments = PAIRS[name]
    # Little contrast, so that stretching it does something.
    pixels = np.random.default_rng(3).integers(40, 200, (24, 24, channels)).astype(np.uint8)
    picture = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    image = pixels.transpose(2, 0, 1).astype(np.float32) / 255
    options = {"resample": Image.Resampling.BICUBIC, "fillcolor": 0 if channels == 1 else (0, 0, 0)}
    for argument in arguments:
        plain = (
            (picture,) if name in ("auto_contrast", "equalize", "invert") else (picture, argument)
        )
        expected = np.asarray(theirs_op(*plain, **(options if name in GEOMETRY else {})))
        found = np.rint(255 * apply_operations(image, [(name, argument)])).astype(np.uint8)
        np.testing.assert_array_equal(found.transpose(1, 2, 0).reshape(expected.shape), expected)
        idle = (name == "color" and channels == 1) or argument == IDLE.get(name)
        assert (found.transpose(1, 2, 0) != pixels).any() != idle


def test_ours_are_all_that_timm_has() -> None:
    from medistill.data.rand_augment import _OPERATIONS

    names = theirs._RAND_INCREASING_TRANSFORMS
    assert len(_OPERATIONS) == len(names) == len(PAIRS)

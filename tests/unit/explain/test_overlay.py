from __future__ import annotations

import numpy as np

from medistill.explain.overlay import overlay


def test_the_image_stays_where_the_map_is_zero_and_colour_comes_where_it_is_not() -> None:
    image = np.full((1, 2, 2), 0.5)
    heat = np.array([[0.0, 1.0], [0.5, 2.0]])
    found = overlay(image, heat)
    assert found.shape == (2, 2, 3)
    assert found[0, 0].tolist() == [128, 128, 128]
    assert found[0, 1].tolist() == [round(0.35 * 127.5 + 0.65 * c) for c in (252, 255, 164)]
    assert (found[1, 1] == found[0, 1]).all()  # values above 1 are cut
    assert overlay(np.repeat(image, 3, axis=0), heat).tolist() == found.tolist()

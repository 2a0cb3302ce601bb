"""The contact sheet shows each slice as drawn, and outlines only lesions."""

from __future__ import annotations

import numpy as np

from medistill.data.phantom import draw_phantom
from medistill.data.phantom.sheet import contact_sheet, to_palette


def test_slices_stand_above_their_outlined_copies() -> None:
    sheet = contact_sheet(indices=[0, 1, 2], seed=0, size=64, columns=2)
    assert sheet.shape == (256, 128, 3)
    for place, index in enumerate([0, 1, 2]):
        drawn = draw_phantom(index=index, seed=0, size=64)
        top, left = 128 * (place // 2), 64 * (place % 2)
        plain, outlined = sheet[top : top + 64], sheet[top + 64 : top + 128]
        np.testing.assert_array_equal(plain[:, left : left + 64, 0], drawn.pixels)
        coloured = np.ptp(outlined[:, left : left + 64].astype(int), axis=2) > 0
        assert coloured.any() == bool(drawn.lesions)
        for kind in drawn.lesions:
            assert not (coloured & drawn.masks[kind]).any()
    assert not sheet[128:, 64:].any()


def test_the_palette_keeps_colours_and_few_grays() -> None:
    sheet = contact_sheet(indices=range(4), seed=0, size=64)
    shown = np.asarray(to_palette(sheet, grays=32).convert("RGB"))
    coloured = np.ptp(sheet.astype(int), axis=2) > 0
    np.testing.assert_array_equal(shown[coloured], sheet[coloured])
    assert len(np.unique(shown[~coloured][:, 0])) <= 32
    assert np.abs(shown.astype(int) - sheet)[~coloured].max() <= 9

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from medistill.evaluate.holm import holm


def test_equal_to_statsmodels() -> None:
    p = np.random.default_rng(0).random(40) ** 3
    np.testing.assert_allclose(holm(p.tolist()), multipletests(p, method="holm")[1])


def test_by_hand_and_untested_ones_do_not_count() -> None:
    # .01 x 3, .02 x 2, max(.04, .03 x 1)
    assert holm([0.02, None, 0.01, 0.03]) == pytest.approx([0.04, None, 0.03, 0.04])
    assert holm([None, None]) == [None, None]
    assert holm([0.9, 0.9]) == [1.0, 1.0]

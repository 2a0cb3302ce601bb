"""Shares of the shows by class, against fractions worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from medistill.data.balance import balanced_shares

# Nine images of the first class, one of the second, two unlabelled; the last row is not shown.
LABELS = np.array([[1, 0]] * 9 + [[0, 1]] + [[np.nan] * 2] * 2 + [[0, 1]], dtype=np.float32)
SHOWN = range(12)


def test_nothing_is_balanced_unasked_or_without_labels() -> None:
    assert balanced_shares(LABELS, SHOWN, 0.0) is None
    assert balanced_shares(LABELS, [10, 11], 1.0) is None


@pytest.mark.parametrize(("balance", "rare"), [(1.0, 1 / 2), (0.5, 1 / 4)])
def test_a_class_gets_a_power_of_its_images(balance: float, rare: float) -> None:
    # 9^0 : 1^0 = 1 : 1, and 9^.5 : 1^.5 = 3 : 1.
    shares = balanced_shares(LABELS, range(10), balance)
    assert shares is not None
    np.testing.assert_allclose(shares, [(1 - rare) / 9] * 9 + [rare], rtol=1e-12)


def test_unlabelled_images_keep_their_share() -> None:
    shares = balanced_shares(LABELS, SHOWN, 1.0)
    assert shares is not None
    expected = [10 / 12 / 2 / 9] * 9 + [10 / 12 / 2] + [1 / 12] * 2
    np.testing.assert_allclose(shares, expected, rtol=1e-12)

"""The order of images: repeated views, and the plain order."""

from __future__ import annotations

from collections import Counter

import numpy as np

from medistill.data.order import Balanced, Plain, Shuffled

ROWS = np.array([3, 5, 8, 9])


def test_repeats_show_successive_views_of_one_image() -> None:
    order = Shuffled(ROWS, 8, 0, 100, 2)
    rows, views = order.at(0)
    assert sorted(set(rows.tolist())) == ROWS.tolist()
    assert (rows[::2] == rows[1::2]).all()
    assert views.tolist() == [1, 2] * 4
    again, views = order.at(1)
    assert (again[::2] == again[1::2]).all()
    assert views.tolist() == [3, 4] * 4


def test_one_repeat_is_the_usual_order() -> None:
    once, repeated = Shuffled(ROWS, 4, 7, 100), Shuffled(ROWS, 8, 7, 100, 2)
    assert once.at(0)[0].tolist() == repeated.at(0)[0][::2].tolist()
    assert once.at(3)[1].tolist() == [4] * 4


def test_plain_order_ends_with_a_short_batch() -> None:
    order = Plain(ROWS, 3)
    assert order.at(0)[0].tolist() == [3, 5, 8]
    assert order.at(1)[0].tolist() == [9]
    assert order.at(1)[1].tolist() == [0]


# Of 20 images the last two get half of the shows: 5 a pass each, and 5/9 of a show the others.
UNEVEN = np.array([0.5 / 18] * 18 + [0.25] * 2)


def test_every_pass_shows_a_row_as_often_as_its_share_says() -> None:
    order = Balanced(np.arange(100, 120), UNEVEN, 20, 3, 8)
    total: Counter[int] = Counter()
    for number in range(180):
        rows, views = order.at(number)
        shown = Counter(rows.tolist())
        assert shown[118] == shown[119] == 5
        assert set(shown.values()) <= {1, 5}
        # Its views of a pass are successive, so that the shows of one pass differ.
        mine = sorted(views[rows == 118].tolist())
        assert mine == sorted(1 + (number + k) % 8 for k in range(5))
        total += shown
    # 180 * 5/9 = 100 shows; their deviation is sqrt(180 * 5/9 * 4/9) = 6.7.
    assert all(70 < total[row] < 130 for row in range(100, 118))


def test_equal_shares_show_every_row_once_a_pass() -> None:
    order = Balanced(ROWS, np.full(4, 0.25), 4, 7, 100)
    for number in range(5):
        rows, views = order.at(number)
        assert sorted(rows.tolist()) == ROWS.tolist()
        assert views.tolist() == [1 + number] * 4


def test_balanced_batches_depend_on_the_step_alone_and_mix_the_rows() -> None:
    whole = Balanced(np.arange(20), UNEVEN, 40, 3, 8).at(0)
    halves = [Balanced(np.arange(20), UNEVEN, 8, 3, 8).at(step) for step in range(5)]
    assert whole[0].tolist() == np.concatenate([rows for rows, _ in halves]).tolist()
    assert whole[1].tolist() == np.concatenate([views for _, views in halves]).tolist()
    # Shows of a row do not lie side by side.
    assert (np.diff(np.flatnonzero(whole[0][:20] == 19)) > 1).any()


def test_balanced_repeats_show_successive_views_of_one_image() -> None:
    order = Balanced(np.arange(20), UNEVEN, 40, 3, 100, 2)
    rows, views = order.at(1)
    assert (rows[::2] == rows[1::2]).all()
    assert (views[1::2] == views[::2] + 1).all()
    assert sorted(views[rows == 19].tolist()) == list(range(3, 13))

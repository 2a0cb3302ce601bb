"""The order of images: repeated views, and the plain order."""

from __future__ import annotations

import numpy as np

from medistill.data.order import Plain, Shuffled

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

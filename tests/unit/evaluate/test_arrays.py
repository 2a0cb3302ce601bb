import numpy as np

from medistill.evaluate.arrays import ratio, weighting


def test_every_image_weighs_one_where_no_weights_are_given() -> None:
    np.testing.assert_array_equal(weighting(None, 3), [1.0, 1.0, 1.0])


def test_given_weights_are_kept_as_floats() -> None:
    found = weighting(np.array([2, 0]), 2)
    np.testing.assert_array_equal(found, [2.0, 0.0])
    assert found.dtype == np.float64


def test_a_quotient_without_a_positive_denominator_is_nan_and_warns_nobody() -> None:
    found = ratio(np.array([1.0, 1.0, 3.0]), np.array([0.0, -1.0, 2.0]))
    np.testing.assert_array_equal(found, [np.nan, np.nan, 1.5])


def test_a_quotient_broadcasts() -> None:
    found = ratio(np.array([[1.0], [2.0]]), np.array([2.0, 4.0]))
    np.testing.assert_array_equal(found, [[0.5, 0.25], [1.0, 0.5]])

from __future__ import annotations

from medistill.report import values


def test_numbers():
    assert values.number(0.8736) == "0.874"
    assert values.number(-0.5, 1) == "\N{MINUS SIGN}0.5"
    assert values.number(None) == "\N{EM DASH}"
    assert values.signed(0.0412) == "+0.041"
    assert values.signed(-0.0412) == "\N{MINUS SIGN}0.041"
    assert values.signed(None) == "\N{EM DASH}"


def test_intervals():
    assert values.interval(0.83, 0.91) == "0.830 to 0.910"
    assert values.interval(None, 0.9) == ""


def test_p_values_never_are_zero():
    assert values.p_value(0.00001) == "p < 0.001"
    assert values.p_value(0.0312) == "p = 0.031"
    assert values.p_value(None) == ""


def test_quantities():
    assert values.quantity(4_650_000).split() == ["4.65", "million"]
    assert values.quantity(1.26e9).split() == ["1.26", "billion"]
    assert values.quantity(224) == "224"
    assert values.quantity(30.214) == "30.2"


def test_true_minus_only_before_numbers():
    assert values.with_minus("from -0.02 to 1-2, non-COVID") == "from −0.02 to 1-2, non-COVID"


def test_headings():
    assert values.heading("image_size") == "Image size"

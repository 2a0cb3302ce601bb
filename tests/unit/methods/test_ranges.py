"""Values that a block cannot have."""

from __future__ import annotations

import math

import pytest

from medistill.core.errors import RecipeError
from medistill.methods.ranges import (
    check_choice,
    check_focus,
    check_heeded,
    check_share,
    check_temperature,
    check_weights,
)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_temperature(value: float) -> None:
    check_temperature(0.07)
    with pytest.raises(RecipeError, match="method.temperature: .* does not soften anything"):
        check_temperature(value)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_share(value: float) -> None:
    check_share(0.0, "method.a")
    check_share(1.0, "method.a")
    with pytest.raises(RecipeError, match="method.a: .* is not a share"):
        check_share(value, "method.a")


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_weights_name_their_field(value: float) -> None:
    check_weights(guide=0.0)
    with pytest.raises(RecipeError, match="method.guide: .* is not a weight"):
        check_weights(other=1.0, guide=value)


def test_choice() -> None:
    check_choice("kind", "hard", ("hard", "soft"))
    with pytest.raises(RecipeError, match="method.kind: 'mild' .* Known: hard, soft"):
        check_choice("kind", "mild", ("hard", "soft"))


def test_options_that_nothing_reads() -> None:
    check_heeded("here", "Leave it out.", first=False, second=False)
    with pytest.raises(RecipeError, match="method.second: it does nothing here. Leave it out."):
        check_heeded("here", "Leave it out.", first=False, second=True)


@pytest.mark.parametrize(("focus", "positive"), [(0.5, None), (-1, None), (2, 0), (2, 1)])
def test_focus(focus: float, positive: float | None) -> None:
    check_focus(0, None)
    check_focus(2, 0.25)
    with pytest.raises(RecipeError, match="method.(focus|positive)"):
        check_focus(focus, positive)

from __future__ import annotations

import numpy as np
import pytest

from medistill.serve.relevance import (
    attention_rollout,
    class_activation,
    shown_box,
    stretched,
)


def test_rollout_by_hand() -> None:
    # Five tokens, one head. The class token attends to patches 1..4 with 0, .2, .3, .5; every
    # patch to itself. One block: (A + I) / 2 gives 0, .1, .15, .25. A second, equal block gives
    # .5 * (0, .1, .15, .25) + .5 * (0, .2, .3, .5) = 0, .15, .225, .375.
    block = np.eye(5)[None]
    block[0, 0] = [0, 0, 0.2, 0.3, 0.5]
    np.testing.assert_allclose(attention_rollout([block]).ravel(), [0, 0.1, 0.15, 0.25])
    np.testing.assert_allclose(attention_rollout([block] * 2).ravel(), [0, 0.15, 0.225, 0.375])


def test_rollout_of_both_tokens_of_a_distilled_student_is_their_mean() -> None:
    block = np.eye(6)[None].copy()
    block[0, 0], block[0, 1] = [0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 0, 1]
    np.testing.assert_allclose(attention_rollout([block]), [[0.25, 0], [0, 0.25]])


def test_heads_are_averaged_and_blocks_are_in_order() -> None:
    to_first, to_last = np.eye(5), np.eye(5)
    to_first[0], to_last[0] = [0, 1, 0, 0, 0], [0, 0, 0, 0, 1]
    moves = np.eye(5)
    moves[1] = [0, 0, 1, 0, 0]  # patch 1 reads patch 2 in the first block
    two_heads = np.stack([to_first, to_last])
    np.testing.assert_allclose(
        attention_rollout([moves[None], two_heads]).ravel(), [0.125, 0.125, 0, 0.25]
    )


def test_tokens_that_are_no_square_are_refused() -> None:
    with pytest.raises(ValueError, match="8 tokens are no square"):
        attention_rollout([np.eye(8)[None]])


def test_activation_of_the_asked_class_without_evidence_against() -> None:
    maps = np.array([[[1.0, -2.0]], [[3.0, 4.0]]])
    np.testing.assert_array_equal(class_activation(maps, 0), [[1, 0]])
    np.testing.assert_array_equal(class_activation(maps, 1), [[3, 4]])


def test_stretched_to_one_and_never_divided_by_zero() -> None:
    np.testing.assert_allclose(stretched(np.array([[1.0, 3.0, 2.0]])), [[0, 1, 0.5]])
    np.testing.assert_array_equal(stretched(np.full((2, 2), 7.0)), np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("fit", "box"),
    [
        ("stretch", (0, 0, 1, 1)),
        ("crop", (0.25, 0, 0.75, 1)),
        ("pad", (0, -0.5, 1, 1.5)),
    ],
)
def test_box_of_a_picture_twice_as_wide_as_high(fit: str, box: tuple[float, ...]) -> None:
    assert shown_box((100, 200), fit) == pytest.approx(box)  # type: ignore[arg-type]

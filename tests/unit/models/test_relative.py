"""Relative positions against plain sums, and their buckets by hand."""

from __future__ import annotations

import pytest
import torch

from medistill.models.relative import BUCKETS, RelativePositions, bucket_ids, piecewise_index

SIDE, PREFIX, HEADS, WIDTH = 3, 2, 2, 4
TOKENS = SIDE * SIDE + PREFIX


def test_offsets_are_exact_near_and_shared_far() -> None:
    """iRPE with ratio 1.9: g(0..13) = 0, 1, 2, 2, 3, 3, ... and odd-symmetric."""
    assert [piecewise_index(x) for x in range(14)] == [0, 1, 2, 2, *[3] * 10]
    assert all(piecewise_index(-x) == -piecewise_index(x) for x in range(14))


def test_pairs_with_an_extra_token_share_the_last_bucket() -> None:
    ids = bucket_ids(14, prefix=2)
    assert ids.shape == (198, 198)
    assert BUCKETS == 50
    assert (ids == 49).sum() == 788
    assert ids[:2].eq(49).all()
    assert ids[:, :2].eq(49).all()


def test_bucket_is_query_minus_key_row_by_row() -> None:
    ids = bucket_ids(14, prefix=0)
    here, right, below = 0, 1, 14
    assert ids[here, here] == 3 * 7 + 3
    assert ids[right, here] == 3 * 7 + 4
    assert ids[here, right] == 3 * 7 + 2
    assert ids[below, here] == 4 * 7 + 3


def make(mode: str) -> RelativePositions:
    torch.manual_seed(0)
    made = RelativePositions(mode, side=SIDE, prefix=PREFIX, heads=HEADS, width=WIDTH)
    for table in made.parameters():
        assert not table.any(), "it does not start at zero"
        torch.nn.init.normal_(table)
    return made


@pytest.mark.parametrize("mode", ["k", "q", "qk", "qkv"])
def test_logits_are_the_plain_sums(mode: str) -> None:
    made = make(mode)
    q, k = torch.randn(2, 2, HEADS, TOKENS, WIDTH).unbind(0)
    found = made.logits(q, k, 0.5)
    tables = dict(made.named_parameters())
    for i in range(TOKENS):
        for j in range(TOKENS):
            expected = torch.zeros(2, HEADS)
            if "k" in mode:
                expected += (0.5 * q[:, :, i]) @ tables["table_k"][0, :, made.ids[i, j]]
            if "q" in mode:
                expected += (0.5 * k[:, :, j]) @ tables["table_q"][0, :, made.ids[j, i]]
            torch.testing.assert_close(found[:, :, i, j], expected)


def test_values_are_the_plain_sum() -> None:
    made = make("qkv")
    attention = torch.rand(2, HEADS, TOKENS, TOKENS)
    found = made.values(attention)
    table = dict(made.named_parameters())["table_v"][0]
    for i in range(TOKENS):
        expected = torch.einsum("bhj,jd->bhd", attention[:, :, i], table[made.ids[i]])
        torch.testing.assert_close(found[:, :, i], expected)


def test_bias_is_one_number_a_head_and_bucket() -> None:
    made = make("bias")
    q = torch.randn(2, HEADS, TOKENS, WIDTH)
    found = made.logits(q, q, 0.5)
    table = dict(made.named_parameters())["table_bias"]
    assert torch.equal(found[1, 1, 4, 7], table[1, made.ids[4, 7]])


def test_an_unknown_mode_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no mode is called 'kv'"):
        RelativePositions("kv", side=3, prefix=1, heads=1, width=4)

"""Relative positions of patches inside attention, after iRPE.

Wu, Peng, Chen, Fu and Chao, "Rethinking and Improving Relative Position Encoding for Vision
Transformer", ICCV 2021: the product method with 50 buckets, contextual on keys, queries or values,
or a plain bias.

Dimension key: B batch, H heads, N tokens, D width of a head.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

Relative = Literal["k", "q", "qk", "qkv", "bias"]
MODES: tuple[str, ...] = get_args(Relative)
_RATIO = 1.9
_REACH = int(2 * _RATIO)
_SIDE = 2 * _REACH + 1
#: Buckets of pairs of patches, and one for every pair with a class or distillation token.
BUCKETS = _SIDE * _SIDE + 1


def piecewise_index(offset: int) -> int:
    """Bucket of a one-dimensional offset: exact near, logarithmic far, from -3 to 3.

    ``g(x) = round(x)`` for ``|x| <= a``, else ``sign(x) min(b, round(a + ln(|x| / a) / ln(c / a)
    (b - a)))`` with a = 1.9, b = 3.8 (cut to 3) and c = 15.2; iRPE, equation 18.
    """
    near, far, end = _RATIO, 2 * _RATIO, 8 * _RATIO
    size = abs(offset)
    if size <= near:
        return offset
    grown = near + math.log(size / near) / math.log(end / near) * (far - near)
    return int(math.copysign(min(_REACH, round(grown)), offset))


def bucket_ids(side: int, *, prefix: int) -> Tensor:
    """(N, N) int64 bucket of each pair of a query (row) and a key (column).

    Args:
        side: patches a side; patches are counted row by row after the extra tokens.
        prefix: extra tokens (class, distillation) before the patches.
    """
    steps = torch.tensor([piecewise_index(x) for x in range(1 - side, side)]) + _REACH
    place = torch.arange(side * side)
    rows, columns = place // side, place % side
    down = steps[rows[:, None] - rows[None, :] + side - 1]
    across = steps[columns[:, None] - columns[None, :] + side - 1]
    ids = torch.full((prefix + side * side,) * 2, BUCKETS - 1)
    ids[prefix:, prefix:] = down * _SIDE + across
    return ids


class RelativePositions(nn.Module):
    """Tables of one layer; zero at the start, so that nothing changes until they learn.

    Args:
        mode: ``k``, ``q``, ``qk`` or ``qkv`` (contextual, shared over heads), or ``bias`` (one
            number a head and bucket).
        side: patches a side.
        prefix: extra tokens before the patches.
        heads: attention heads.
        width: numbers a head.
    """

    ids: Tensor

    def __init__(self, mode: str, *, side: int, prefix: int, heads: int, width: int) -> None:
        super().__init__()
        if mode not in MODES:
            raise ValueError(f"no mode is called '{mode}'; known: {', '.join(MODES)}")
        self.register_buffer("ids", bucket_ids(side, prefix=prefix), persistent=False)
        shapes = {"k": (1, width, BUCKETS), "q": (1, width, BUCKETS), "v": (1, BUCKETS, width)}
        wanted = (
            {"bias": (heads, BUCKETS)} if mode == "bias" else {key: shapes[key] for key in mode}
        )
        for name, shape in wanted.items():
            self.register_parameter(f"table_{name}", nn.Parameter(torch.zeros(shape)))
        self.mode = mode

    @property
    def changes_values(self) -> bool:
        """Whether the attention itself is needed, for the term on values."""
        return "v" in self.mode

    def logits(self, q: Tensor, k: Tensor, scale: float) -> Tensor:
        """What is added to the attention's logits.

        Args:
            q: (B, H, N, D) queries.
            k: (B, H, N, D) keys.
            scale: of the attention, 1 / sqrt(D).

        Returns:
            (B, H, N, N): ``(q_i scale) . K[id(i, j)] + (k_j scale) . Q[id(j, i)]``, or the bias.
        """
        if self.mode == "bias":
            table = self.get_parameter("table_bias")
            return table[:, self.ids].expand(q.shape[0], -1, -1, -1)
        ids = self.ids.expand(*q.shape[:2], -1, -1)
        parts = []
        if "k" in self.mode:
            parts.append(((q * scale) @ self.get_parameter("table_k")).gather(-1, ids))
        if "q" in self.mode:
            found = ((k * scale) @ self.get_parameter("table_q")).gather(-1, ids)
            parts.append(found.transpose(-2, -1))
        return torch.stack(parts).sum(dim=0) if len(parts) > 1 else parts[0]

    def values(self, attention: Tensor) -> Tensor:
        """(B, H, N, D) to add to each token: ``sum_j A_ij V[id(i, j)]`` of a (B, H, N, N) A."""
        ids = self.ids.expand(*attention.shape[:2], -1, -1)
        shape = (*attention.shape[:3], BUCKETS)
        shares = attention.new_zeros(shape).scatter_add(-1, ids, attention)
        found: Tensor = shares @ self.get_parameter("table_v")
        return found

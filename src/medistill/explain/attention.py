"""Attention maps of a forward pass, with gradients, whatever kernel the model uses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


@contextmanager
def recorded_attention() -> Iterator[list[Tensor]]:
    """Collect the attention of every scaled dot-product attention inside the block.

    The fused kernel never forms the attention, so it is replaced for the time of the block by the
    plain formula softmax(q k' / sqrt d) v. Not for use in several threads at once.

    Yields:
        A list that grows by one (B, H, N, N) tensor a layer, part of the graph of the logits.
    """
    found: list[Tensor] = []
    fused = functional.scaled_dot_product_attention

    def plain(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        **others: Any,
    ) -> Tensor:
        if attn_mask is not None or is_causal or dropout_p or others.get("enable_gqa"):
            return fused(query, key, value, attn_mask, dropout_p, is_causal, scale=scale, **others)
        factor = scale if scale is not None else 1 / math.sqrt(query.shape[-1])
        attention = torch.softmax((query * factor) @ key.transpose(-2, -1), dim=-1)
        found.append(attention)
        return attention @ value

    functional.scaled_dot_product_attention = plain  # type: ignore[assignment]
    try:
        yield found
    finally:
        functional.scaled_dot_product_attention = fused

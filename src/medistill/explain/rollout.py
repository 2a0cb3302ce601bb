"""Attention roll-out, plain and weighted by gradients, for Transformers with extra tokens.

Dimension key: B batch, H heads, N tokens, P extra tokens (class, distillation), L layers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def attention_rollout(attentions: Sequence[Tensor], *, prefix: int) -> Tensor:
    """How much each patch flows into the extra tokens, through all layers.

    R = prod_l (mean over heads of A_l + I) / 2 (Abnar and Zuidema, "Quantifying Attention Flow in
    Transformers", ACL 2020, section 3), read off in the rows of the extra tokens, their mean
    where there are two, since both are classified.

    Args:
        attentions: L tensors (B, H, N, N), first layer first; rows sum to 1.
        prefix: number of extra tokens, P; 0 takes the mean over all rows.

    Returns:
        (B, N - P), not negative.
    """
    tokens = attentions[0].shape[-1]
    eye = torch.eye(tokens, device=attentions[0].device, dtype=attentions[0].dtype)
    flow = eye.expand(attentions[0].shape[0], -1, -1)
    for attention in attentions:
        flow = (attention.mean(dim=1) + eye) / 2 @ flow
    return _read(flow, prefix)


def gradient_rollout(
    attentions: Sequence[Tensor], gradients: Sequence[Tensor], *, prefix: int
) -> Tensor:
    """The same, counting only attention that raises the class.

    R <- R + mean over heads of (dy/dA_l * A_l)+ R, from the identity (Chefer, Gur and Wolf,
    "Generic Attention-model Explainability", ICCV 2021, equations 5 and 6).

    Args:
        attentions: as ``attention_rollout``.
        gradients: of the class's logit, one a layer, (B, H, N, N).
        prefix: number of extra tokens, P.

    Returns:
        (B, N - P), not negative.
    """
    tokens = attentions[0].shape[-1]
    eye = torch.eye(tokens, device=attentions[0].device, dtype=attentions[0].dtype)
    flow = eye.expand(attentions[0].shape[0], -1, -1)
    for attention, gradient in zip(attentions, gradients, strict=True):
        raised = (gradient * attention).clamp(min=0).mean(dim=1)
        flow = flow + raised @ flow
    return _read(flow, prefix)


def _read(flow: Tensor, prefix: int) -> Tensor:
    rows = flow[:, :prefix] if prefix else flow
    return rows.mean(dim=1)[:, prefix:]

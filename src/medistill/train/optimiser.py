"""AdamW without decay where decay makes no sense; its learning rate as a function of the step."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from medistill.train.settings import TrainSettings

# Matrices and kernels shrink; tokens and positions are offsets like a bias, whatever their shape.
_NEVER_DECAYED = frozenset({"bias", "pos_embed", "cls_token", "dist_token"})
_FUSED_DEVICES = frozenset({"cpu", "cuda", "mps", "xpu"})


def parameter_groups(module: nn.Module, *, weight_decay: float) -> list[dict[str, Any]]:
    """Trainable parameters, decayed and not decayed.

    Not decayed are vectors and scalars (biases, norms, layer scales), position embeddings and
    class tokens, as in DeiT (Touvron et al., ICML 2021) and timm.
    """
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            is_plain = parameter.ndim <= 1 or name.rpartition(".")[2] in _NEVER_DECAYED
            (plain if is_plain else decayed).append(parameter)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]


def make_optimiser(
    module: nn.Module, settings: TrainSettings, device: torch.device
) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter, ICLR 2019) in one fused kernel where the device has it."""
    groups = parameter_groups(module, weight_decay=settings.weight_decay)
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(groups, lr=settings.lr, fused=device.type in _FUSED_DEVICES)


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """The same rate for all groups."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def clip_gradients(module: nn.Module, clip_norm: float | None) -> Tensor:
    """Shrink the gradients of ``module`` to a global 2-norm of at most ``clip_norm``.

    Returns:
        The norm before clipping, a scalar; it may be NaN or infinite.
    """
    bound = math.inf if clip_norm is None else clip_norm
    return nn.utils.clip_grad_norm_(module.parameters(), bound)


def learning_rate(step: int, settings: TrainSettings, *, steps_per_epoch: int) -> float:
    """Linear warm-up to ``lr``, then half a cosine to ``min_lr`` (SGDR, ICLR 2017, equation 5).

    Args:
        step: from 0; the first step of a warm-up of w steps already has lr / w.
        settings: the training's.
        steps_per_epoch: optimiser steps an epoch.
    """
    total = settings.epochs * steps_per_epoch
    warmup = round(settings.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return settings.lr * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, total - warmup))
    cosine = 0.5 * (1.0 + math.cos(math.pi * progress))
    return settings.min_lr + (settings.lr - settings.min_lr) * cosine

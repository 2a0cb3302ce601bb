"""Size and arithmetic of a network."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from medistill.models.network import Network

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def count_parameters(module: nn.Module) -> int:
    """Number of parameters, learned or frozen; buffers do not count."""
    return sum(parameter.numel() for parameter in module.parameters())


def multiply_adds(network: Network, *, size: int | None = None) -> int:
    """Multiply-adds of one image in convolutions, linear layers and attention.

    PyTorch's counter counts floating point operations, two for each multiply-add, and counts the
    fused attention of a CPU as nothing; so attention is taken apart while counting.

    Args:
        network: any network; its mode is restored.
        size: side of the image in pixels; None for the network's own.
    """
    image = _black_image(network, size)
    counter = FlopCounterMode(display=False)
    with _measuring(network), sdpa_kernel(SDPBackend.MATH), counter:
        network(image)
    return int(counter.get_total_flops()) // 2


def normalises_one(network: Network) -> bool:
    """Whether a batch norm sees one number a channel of an image: a vector, or a map of one pixel.

    Such a network cannot take a training step of one image.
    """
    counts: list[int] = []

    def count(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        counts.append(math.prod(given[0].shape[2:]))

    norms = [part for part in network.modules() if isinstance(part, _BATCH_NORMS)]
    hooks = [norm.register_forward_pre_hook(count) for norm in norms]
    with _measuring(network):
        network(_black_image(network, network.view_size))
    for hook in hooks:
        hook.remove()
    return 1 in counts


def _black_image(network: Network, size: int | None) -> Tensor:
    channels, own, _ = network.input_shape
    side = own if size is None else size
    weight = next(network.parameters())
    return torch.zeros(1, channels, side, side, device=weight.device, dtype=weight.dtype)


@contextmanager
def _measuring(network: Network) -> Iterator[None]:
    """Eval mode without gradients; the former mode comes back."""
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        network.train(training)

"""Size, arithmetic and speed of a network."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from medistill.models.network import Network


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


def latency_ms(network: Network, *, threads: int, repeats: int = 20) -> float:
    """Median time of one image through the network, in milliseconds.

    Eager PyTorch in float32, batch of one, three untimed passes first. Compare only figures that
    were measured on the same machine in the same run.

    Args:
        network: any network; its mode is restored.
        threads: CPU threads to use meanwhile; the former number is restored.
        repeats: timed passes, at least 1.
    """
    image, before = _black_image(network, None), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with _measuring(network):
            for _ in range(3):
                _seconds(network, image)
            return 1e3 * statistics.median(_seconds(network, image) for _ in range(repeats))
    finally:
        torch.set_num_threads(before)


def _seconds(network: Network, image: Tensor) -> float:
    start = time.perf_counter()
    network(image)
    return time.perf_counter() - start


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

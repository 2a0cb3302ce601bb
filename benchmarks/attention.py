"""The fused attention kernel against plain products, forwards and backwards.

    python -m benchmarks.attention --threads 1

Why ``models.blocks`` takes plain products when it trains in bfloat16 on a processor.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor
from torch.nn import functional

#: Batch, heads, tokens, width of a head: the small recipes' student, DeiT-Ti and DeiT-B at 224.
SHAPES = ((32, 3, 65, 32), (16, 3, 197, 64), (16, 12, 197, 64))
Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


def plain(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q k' / sqrt d) v, as ``models.blocks`` writes it."""
    return torch.softmax((q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1), dim=-1) @ v


def milliseconds(
    attention: Attention, shape: tuple[int, int, int, int], kind: torch.dtype, repeats: int
) -> tuple[float, float]:
    """Medians of the way forwards and the way back; one untimed round first."""
    batch, heads, tokens, width = shape
    packed = torch.randn(batch, tokens, 3, heads, width, dtype=kind, requires_grad=True)
    slope = torch.randn(batch, heads, tokens, width, dtype=kind)
    rounds: list[tuple[float, float]] = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        mixed = attention(*packed.permute(2, 0, 3, 1, 4).unbind(0))
        turn = time.perf_counter()
        torch.autograd.backward(mixed, slope)
        rounds.append((1e3 * (turn - start), 1e3 * (time.perf_counter() - turn)))
    forwards, backwards = zip(*rounds[1:], strict=True)
    return median(forwards), median(backwards)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print("| batch, heads, tokens, width | precision | fused ms | plain ms |\n|---|---|---|---|")
    for shape in SHAPES:
        for kind in (torch.float32, torch.bfloat16):
            kernels = (functional.scaled_dot_product_attention, plain)
            times = [milliseconds(each, shape, kind, options.repeats) for each in kernels]
            cells = [f"{there:.1f} + {back:.1f}" for there, back in times]
            print(f"| {shape} | {str(kind).removeprefix('torch.')} | {cells[0]} | {cells[1]} |")


if __name__ == "__main__":
    main()

"""Kernels that are slow on a processor, against what replaces them.

    python -m benchmarks.kernels --threads 1

Why ``models.kernels`` replaces them; linear layers only where MKL leaves AVX-512 unused.
Milliseconds of processor time, best of a few.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from medistill.core.allocator import keep_freed_memory
from medistill.core.ending import run_program
from medistill.models.kernels import quick_kernels

#: Batch, heads, tokens, width of a head: the small recipes' student, MobileViT-XXS at 128 pixels,
#: DeiT-Ti and DeiT-B at 224.
ATTENTION = ((32, 3, 65, 32), (128, 4, 64, 16), (16, 3, 197, 64), (16, 12, 197, 64))
#: Batch, channels, side, kernel, stride, depth by depth: of EfficientNet-Lite0 at 128 pixels.
CONVOLUTIONS = (
    (32, 144, 32, 3, 1),
    (32, 96, 64, 3, 2),
    (32, 240, 16, 3, 2),
    (32, 144, 32, 5, 2),
    (32, 672, 8, 5, 1),
    (32, 1152, 4, 5, 1),
)
#: Rows, width before and after: of the small recipes' student, DeiT-Ti and DeiT-B, 16 or 32 images.
LINEAR = ((2080, 96, 288), (2080, 96, 384), (3152, 192, 576), (3152, 768, 192), (3152, 768, 2304))
Shape = tuple[int, ...]
Function = Callable[..., Tensor]


def attention(shape: Shape, kind: torch.dtype) -> tuple[Function, list[Tensor]]:
    """Attention and what it is given."""
    batch, heads, tokens, width = shape
    packed = torch.randn(batch, tokens, 3, heads, width, dtype=kind, requires_grad=True)
    parts = [part.transpose(1, 2) for part in packed.unbind(2)]
    return functional.scaled_dot_product_attention, parts


def convolution(shape: Shape, kind: torch.dtype) -> tuple[Function, list[Tensor]]:
    """A convolution depth by depth, channels last, and what it is given."""
    batch, channels, side, kernel, stride = shape
    sizes = ((batch, channels, side, side), (channels, 1, kernel, kernel))
    given = [
        torch.randn(size, dtype=kind).contiguous(memory_format=torch.channels_last)
        for size in sizes
    ]

    def convolved(x: Tensor, weight: Tensor) -> Tensor:
        padding = kernel // 2
        return functional.conv2d(x, weight, stride=stride, padding=padding, groups=channels)

    return convolved, [each.requires_grad_() for each in given]


def linear(shape: Shape, kind: torch.dtype) -> tuple[Function, list[Tensor]]:
    """A linear layer, and what it is given."""
    rows, before, after = shape
    sizes = ((rows, before), (after, before), (after,))
    given = [torch.randn(size, dtype=kind, requires_grad=True) for size in sizes]
    return functional.linear, given


def milliseconds(work: Function, given: Sequence[Tensor], repeats: int) -> tuple[float, float]:
    """The way forwards and the way back; one untimed round first."""
    rounds: list[tuple[float, float]] = []
    for _ in range(repeats + 1):
        start = time.process_time()
        made = work(*given)
        turn = time.process_time()
        torch.autograd.grad(made, given, made.detach())
        rounds.append((1e3 * (turn - start), 1e3 * (time.process_time() - turn)))
    forwards, backwards = zip(*rounds[1:], strict=True)
    return min(forwards), min(backwards)


def row(make: Make, shape: Shape, ways: Sequence[Way], repeats: int) -> str:
    """A line of the table: one cell a way."""
    cells = []
    for kind, replaced in ways:
        work, given = make(shape, kind)
        with _replacing(kind) if replaced else contextlib.nullcontext():
            there, back = milliseconds(work, given, repeats)
        cells.append(f"{there:.1f} + {back:.1f}")
    return f"| {', '.join(map(str, shape))} | {' | '.join(cells)} |"


@contextlib.contextmanager
def _replacing(kind: torch.dtype) -> Iterator[None]:
    with (
        torch.autocast("cpu", torch.bfloat16, enabled=kind == torch.bfloat16),
        quick_kernels(torch.device("cpu")),
    ):
        yield


Make = Callable[[Shape, torch.dtype], tuple[Function, list[Tensor]]]
#: The type of numbers, and whether the kernel is replaced.
Way = tuple[torch.dtype, bool]
_FLOAT32, _BFLOAT16 = (torch.float32, False), (torch.bfloat16, False)
_ALL_WAYS: Mapping[str, Way] = {
    "float32": _FLOAT32,
    "bfloat16": _BFLOAT16,
    "replaced": (torch.bfloat16, True),
}
_TWO_WAYS: Mapping[str, Way] = {"float32": _FLOAT32, "replaced": (torch.float32, True)}
TABLES: Mapping[str, tuple[Make, Sequence[Shape], Mapping[str, Way]]] = {
    "attention: batch, heads, tokens, width": (attention, ATTENTION, _ALL_WAYS),
    "convolution: batch, channels, side, kernel, stride": (convolution, CONVOLUTIONS, _ALL_WAYS),
    "linear: rows, width before, width after": (linear, LINEAR, _TWO_WAYS),
}


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    for title, (make, shapes, ways) in TABLES.items():
        print(f"\n| {title} | {' | '.join(ways)} |\n|---{'|---' * len(ways)}|")
        for shape in shapes:
            print(row(make, shape, list(ways.values()), options.repeats), flush=True)


if __name__ == "__main__":
    run_program(main, "kernels")

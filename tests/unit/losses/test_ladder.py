"""The published contourlet transform: perfect reconstruction, its size, its directions."""

from __future__ import annotations

import math

import pytest
import torch

from medistill.losses.contourlet import contourlet_match
from medistill.losses.ladder import (
    fits_ladder,
    ladder_decompose,
    ladder_energies,
    ladder_reconstruct,
)

DIRECTIONS = (3, 2)


def noise(height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, 2, height, width, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize(("height", "width"), [(56, 56), (64, 48), (88, 88)])
def test_reconstruction_is_perfect_from_21_sixteenths_of_the_numbers(
    height: int, width: int
) -> None:
    images = noise(height, width)
    scales, low = ladder_decompose(images, DIRECTIONS)
    assert [bands.shape[1] for bands in scales] == [8, 4]
    assert (ladder_reconstruct(scales, low) - images).abs().max() < 1e-14
    held = sum(int((bands[0, :, 0] != 0).sum()) for bands in scales) + low[0, 0].numel()
    assert held == 1.3125 * height * width
    # Every band of a scale has as many numbers, each on a coset of its own.
    for bands in scales:
        on = (bands[0, :, 0] != 0).sum(dim=0)
        assert torch.equal(on, torch.ones_like(on))


def wave(number: int, size: int = 64) -> torch.Tensor:
    """A plane wave in the middle of one of eight directions, well inside the finest scale."""
    angle = (number + 0.5) * math.pi / 8
    down, across = (round(0.4 * size * part) for part in (math.sin(angle), math.cos(angle)))
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    phase = 2 * math.pi * (down * rows + across * columns) / size
    return torch.cos(phase + 0.3).double()[None, None]


def test_each_direction_has_a_band_of_its_own_that_takes_most_of_its_wave() -> None:
    bands = []
    for number in range(8):
        energies = ladder_energies(wave(number), DIRECTIONS)[0]
        assert energies.max() / energies.sum() > 0.65
        bands.append(int(energies.argmax()))
    assert sorted(bands) == list(range(8))
    # The first four bands are those of steep waves along a row, the others of waves along a column.
    assert {number for number, band in enumerate(bands) if band < 4} == {0, 1, 6, 7}


def test_a_constant_image_is_left_below_every_band() -> None:
    scales, low = ladder_decompose(torch.ones(1, 1, 32, 32, dtype=torch.float64), DIRECTIONS)
    for bands in scales:
        assert bands.abs().max() < 1e-8
    torch.testing.assert_close(low, torch.full_like(low, 4.0), rtol=1e-8, atol=0)


def test_it_moves_with_its_image_by_whole_steps_of_its_lattice() -> None:
    images = noise(32, 32)
    scales, _ = ladder_decompose(images.roll((8, 8), dims=(2, 3)), DIRECTIONS)
    expected, _ = ladder_decompose(images, DIRECTIONS)
    torch.testing.assert_close(scales[0], expected[0].roll((8, 8), dims=(3, 4)))
    torch.testing.assert_close(scales[1], expected[1].roll((4, 4), dims=(3, 4)))


def test_gradient_is_the_numerical_one() -> None:
    teacher = noise(8, 8)[:, :1]
    student = (teacher + 0.1 * noise(8, 8)[:, 1:]).float().requires_grad_()
    loss = contourlet_match(student=student, teacher=teacher.float(), directions=(2,), ladder=True)
    (gradient,) = torch.autograd.grad(loss, student)
    step = torch.zeros_like(student)
    step[0, 0, 3, 5] = 1e-2
    losses = [
        contourlet_match(
            student=student + sign * step, teacher=teacher.float(), directions=(2,), ladder=True
        ).item()
        for sign in (1, -1)
    ]
    assert gradient[0, 0, 3, 5].item() == pytest.approx((losses[0] - losses[1]) / 2e-2, rel=1e-2)


def test_sides_must_suit() -> None:
    assert fits_ladder(56, 88, DIRECTIONS)
    assert not fits_ladder(30, 30, DIRECTIONS)
    assert not fits_ladder(64, 64, (4,))
    with pytest.raises(ValueError, match=r"\(3, 2\) do not fit into 30 x 30"):
        ladder_decompose(torch.zeros(1, 1, 30, 30), DIRECTIONS)

"""The decomposition: undone by itself, moves with its image, sees angles; and its loss."""

from __future__ import annotations

import math

import pytest
import torch

from medistill.losses.contourlet import (
    band_energies,
    band_windows,
    contourlet_match,
    decompose,
    reconstruct,
)

DIRECTIONS = (3, 2)


@pytest.mark.parametrize(("height", "width"), [(56, 56), (64, 48), (33, 40)])
def test_reconstruction_is_perfect(height: int, width: int) -> None:
    images = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))
    bands = decompose(images, DIRECTIONS)
    assert bands.shape == (2, 8 + 4 + 1, 3, height, width)
    torch.testing.assert_close(reconstruct(bands, DIRECTIONS), images, atol=1e-5, rtol=0)
    squares = band_windows(height, width, DIRECTIONS).square().sum(dim=0)
    torch.testing.assert_close(squares, torch.ones_like(squares))


def test_energy_is_kept_and_needs_no_bands() -> None:
    images = torch.randn(2, 3, 32, 30, generator=torch.Generator().manual_seed(0))
    bands = decompose(images, DIRECTIONS)
    expected = bands.square().sum(dim=(2, 3, 4))
    torch.testing.assert_close(band_energies(images, DIRECTIONS), expected[:, :-1])
    torch.testing.assert_close(expected.sum(1), images.square().sum(dim=(1, 2, 3)))


def test_bands_move_with_their_image() -> None:
    images = torch.randn(1, 1, 32, 32)
    moved = decompose(images.roll((3, 5), dims=(2, 3)), DIRECTIONS)
    expected = decompose(images, DIRECTIONS).roll((3, 5), dims=(3, 4))
    torch.testing.assert_close(moved, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("number", range(8))
def test_a_plane_wave_lands_in_the_band_of_its_angle(number: int) -> None:
    size, angle = 64, (number + 0.5) * math.pi / 8
    cycles = torch.tensor([math.sin(angle), math.cos(angle)]) * 0.4 * size
    down, across = (round(each) for each in cycles.tolist())  # whole waves: one frequency
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    wave = torch.cos(2 * math.pi * (down * rows + across * columns) / size)[None, None]
    energies = band_energies(wave, DIRECTIONS)[0]
    assert energies[number] / wave.square().sum() > 0.8


def test_relative_loss_by_hand() -> None:
    """Half the teacher: every band is off by a quarter of its energy, over 1 and the floor."""
    teacher = torch.randn(2, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    held = band_energies(teacher, DIRECTIONS)
    expected = sum(
        (0.25 * part / (part + 0.01 * part.mean(1, keepdim=True))).mean()
        for part in (held[:, :8], held[:, 8:])
    )
    found = contourlet_match(student=teacher / 2, teacher=teacher, directions=DIRECTIONS)
    assert found.item() == pytest.approx(float(expected), rel=1e-4)


def test_the_relative_form_sees_a_weak_direction_that_the_plain_one_does_not() -> None:
    size = 32
    columns = torch.arange(size).expand(size, size)
    strong = torch.cos(2 * math.pi * 12 * columns / size)[None, None]
    weak = 0.1 * strong.transpose(2, 3)
    teacher = strong + weak
    without_weak, without_some = strong, 0.9 * strong + weak  # equal squared differences

    def loss(student: torch.Tensor, relative: bool) -> float:
        return contourlet_match(
            student=student, teacher=teacher, directions=(2,), relative=relative
        ).item()

    assert loss(without_weak, False) == pytest.approx(loss(without_some, False), rel=1e-3)
    assert loss(without_weak, True) > 10 * loss(without_some, True)


def test_silence_is_safe_and_sides_must_suffice() -> None:
    zeros = torch.zeros(1, 1, 16, 16, requires_grad=True)
    for relative in (True, False):
        contourlet_match(
            student=zeros, teacher=zeros, directions=DIRECTIONS, relative=relative
        ).backward()
    assert zeros.grad is not None
    assert zeros.grad.isfinite().all()
    with pytest.raises(ValueError, match="2 scales do not fit into 7 x 16"):
        band_windows(7, 16, DIRECTIONS)

"""Texture by scale and direction: a contourlet-like decomposition and the loss between two.

A Laplacian pyramid splits an image by scale, a directional filter bank each scale by angle (Do and
Vetterli, "The Contourlet Transform", IEEE Transactions on Image Processing 14(12), 2005). Here both
are windows in the frequency domain without subsampling: their squares sum to one, so that the
decomposition is a tight frame, shifts with its image and is undone by itself.

Dimension key: B batch, C channels, H W sides, K bands.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from medistill.losses.ladder import ladder_energies

_TINY = 1e-12


@functools.lru_cache(maxsize=16)
def band_windows(height: int, width: int, directions: tuple[int, ...]) -> Tensor:
    """Windows of all bands on the half plane of a real Fourier transform.

    Args:
        height: H.
        width: W.
        directions: for each scale, fine to coarse, how often the half circle is halved: 3 gives 8
            directions.

    Returns:
        (K + 1, H, W // 2 + 1) float32: the bands, scale by scale, then what is left below. The
        squares sum to one at every frequency.

    Raises:
        ValueError: no scale, or sides too small for so many.
    """
    if not directions or min(height, width) < 2 ** (len(directions) + 1):
        raise ValueError(f"{len(directions)} scales do not fit into {height} x {width}")
    rows = torch.fft.fftfreq(height, dtype=torch.float64)[:, None]
    columns = torch.fft.fftfreq(width, dtype=torch.float64)[None, :]
    reach = 2 * torch.maximum(rows.abs(), columns.abs())
    angle = torch.atan2(rows.expand(height, width), columns.expand(height, width)) % math.pi
    squares, above = [], torch.ones_like(reach)
    for scale, halvings in enumerate(directions, start=1):
        below = _low(reach, 2.0**-scale)
        squares += [(above - below) * wedge for wedge in _wedges(angle, 2**halvings)]
        above = below
    whole = _symmetric(torch.stack([*squares, above]))
    return whole[..., : width // 2 + 1].clamp(min=0).sqrt().float()


def decompose(images: Tensor, directions: Sequence[int]) -> Tensor:
    """(B, K + 1, C, H, W) real bands of (B, C, H, W) images, and what is left below them."""
    windows = _windows(images, directions)
    spectrum = torch.fft.rfft2(images.float())[:, None] * windows[:, None]
    bands: Tensor = torch.fft.irfft2(spectrum, s=images.shape[-2:])
    return bands


def reconstruct(bands: Tensor, directions: Sequence[int]) -> Tensor:
    """(B, C, H, W) images of (B, K + 1, C, H, W) bands."""
    windows = _windows(bands, directions)
    spectrum = (torch.fft.rfft2(bands) * windows[:, None]).sum(dim=1)
    images: Tensor = torch.fft.irfft2(spectrum, s=bands.shape[-2:])
    return images


def contourlet_match(
    *,
    student: Tensor,
    teacher: Tensor,
    directions: Sequence[int],
    relative: bool = True,
    ladder: bool = False,
) -> Tensor:
    """Difference of textures, band by band.

    ``mean_B sum_scales mean_k |dB_k|^2 / (|B_k^T|^2 + .01 mean_k |B_k^T|^2)``, each direction of a
    scale relative to the teacher's energy in it; or plain: ``mean_B sum_scales mean_k |dB_k|^2 /
    (C H W)``, which a mean squared difference all but equals, and which is blind to direction. Ji
    et al., "Structural and Statistical Texture Knowledge Distillation for Semantic Segmentation",
    CVPR 2022, compare contourlet bands of early features in the plain form.

    Normaliser: sum over space and channels of a band, mean over the directions of a scale and over
    the batch, sum over scales. By Parseval's theorem no band of the windows is formed. Computed in
    float32, outside autocast. Gradients reach the student alone.

    Args:
        student: (B, C, H, W), projected to the teacher's channels and size.
        teacher: (B, C, H, W); detached here.
        directions: see ``band_windows``.
        relative: the form.
        ladder: the published filters (``ladder_decompose``) in place of windows.

    Returns:
        A float32 scalar, at least 0, and 0 where both have the same bands.

    Raises:
        ValueError: the shapes differ, or do not suit ``directions``.
    """
    energies = ladder_energies if ladder else band_energies
    if student.shape != teacher.shape:
        raise ValueError(f"student {tuple(student.shape)} against teacher {tuple(teacher.shape)}")
    with torch.autocast(student.device.type, enabled=False):
        goal = teacher.detach().float()
        apart = energies(student.float() - goal, directions)
        held = energies(goal, directions)
        total, start = apart.new_zeros(()), 0
        for halvings in directions:
            part = slice(start, start + 2**halvings)
            start = part.stop
            if relative:
                floor = 0.01 * held[:, part].mean(dim=1, keepdim=True) + _TINY
                total = total + (apart[:, part] / (held[:, part] + floor)).mean()
            else:
                total = total + apart[:, part].mean() / student[0].numel()
        return total


def band_energies(images: Tensor, directions: Sequence[int]) -> Tensor:
    """(B, K) sums of squares of each band of (B, C, H, W), without forming any."""
    height, width = images.shape[-2:]
    windows = _windows(images, directions)[:-1]
    spectrum = torch.view_as_real(torch.fft.rfft2(images))
    power = spectrum.square().sum(dim=(1, -1)) / (height * width)
    # Columns between the first and the middle stand for two frequencies each.
    twice = torch.full((windows.shape[-1],), 2.0, device=images.device)
    twice[0] = 1.0
    if width % 2 == 0:
        twice[-1] = 1.0
    return torch.einsum("bhw,khw->bk", power * twice, windows.square())


def _windows(images: Tensor, directions: Sequence[int]) -> Tensor:
    return band_windows(*images.shape[-2:], tuple(directions)).to(images.device)


def _low(reach: Tensor, end: float) -> Tensor:
    """Square of the window that passes up to half of ``end`` and nothing beyond it."""
    return torch.cos(math.pi / 2 * _smooth(2 * reach / end - 1)).square()


def _wedges(angle: Tensor, count: int) -> list[Tensor]:
    """Squares of ``count`` windows over the half circle that sum to one."""
    step = math.pi / count
    found = []
    for number in range(count):
        away = (angle - (number + 0.5) * step + math.pi / 2) % math.pi - math.pi / 2
        # Flat over the middle half, shared with the neighbour over the rest.
        rise = _smooth((away.abs() / step - 0.25) / 0.5)
        found.append(torch.cos(math.pi / 2 * rise).square())
    return found


def _smooth(x: Tensor) -> Tensor:
    """Meyer's step from 0 to 1, with ``s(x) + s(1 - x) = 1``."""
    x = x.clamp(0, 1)
    return x**4 * (35 - 84 * x + 70 * x**2 - 20 * x**3)


def _symmetric(squares: Tensor) -> Tensor:
    """The same at a frequency and at its negative, so that bands of real images are real."""
    mirrored = squares.flip(-2, -1).roll((1, 1), dims=(-2, -1))
    return (squares + mirrored) / 2

"""The scanner of the phantom: blur, correlated noise, streaks, and the window to 8-bit gray."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from medistill.data.phantom.grid import Grid
from medistill.data.phantom.shapes import Field


def scan(rng: np.random.Generator, grid: Grid, picture: Field) -> Field:
    """Blur a picture as a reconstruction kernel does and add its noise; HU in, HU out."""
    sharpness = rng.uniform(0.0, 1.0)
    blurred = _blur(picture, (0.45 + 0.9 * (1 - sharpness)) / grid.pixel)
    deviation = rng.uniform(6, 26) * (1 + 1.6 * sharpness)
    noise = _noise(rng, grid, cutoff=0.16 + 0.25 * sharpness)
    streak = _streaks(rng, grid) * np.float32(rng.choice([0.0, rng.uniform(0, 14)]))
    middle = np.exp(-(grid.x**2 + grid.y**2) / np.float32(2 * 130.0**2))
    return blurred + noise * np.float32(deviation) * (np.float32(0.6) + middle) + streak


def _blur(picture: Field, sigma: float) -> Field:
    """Separable Gaussian with ``sigma`` in pixels; edges repeat."""
    reach = max(1, int(np.ceil(2.5 * sigma)))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-3)) ** 2)
    taps = (taps / taps.sum()).astype(np.float32)
    for axis in (0, 1):
        around = [(reach, reach) if a == axis else (0, 0) for a in (0, 1)]
        padded = np.pad(picture, around, mode="edge")
        length = picture.shape[axis]
        picture = np.zeros_like(picture)
        for k, tap in enumerate(taps):
            picture += tap * padded.take(range(k, k + length), axis)
    return picture


def _noise(rng: np.random.Generator, grid: Grid, *, cutoff: float) -> Field:
    """Noise of unit variance with the texture of filtered back-projection.

    Its power spectrum rises with frequency and is then cut by the kernel: ``f exp(-(f/f0)^2)``
    (Riederer, Pelc and Chesler, "The noise power spectrum in computed X-ray tomography", 1978).
    ``cutoff`` is f0 in 1/mm.
    """
    size = grid.x.shape[0]
    white = rng.standard_normal((size, size), dtype=np.float32)
    fx, fy = np.fft.rfftfreq(size, grid.pixel), np.fft.fftfreq(size, grid.pixel)
    frequency = np.hypot(fx[None, :], fy[:, None])
    power = (frequency + 0.01) * np.exp(-((frequency / cutoff) ** 2))
    spectrum = np.fft.rfft2(white) * np.sqrt(power).astype(np.float32)
    coloured = np.fft.irfft2(spectrum, s=(size, size)).astype(np.float32)
    return coloured / np.float32(coloured.std() + 1e-6)


def _streaks(rng: np.random.Generator, grid: Grid) -> Field:
    """Faint lines from side to side, as few photons leave through the shoulders."""
    size = grid.x.shape[0]
    rows = rng.standard_normal(256).astype(np.float32)
    place = (grid.y + np.float32(0.06) * grid.x * np.float32(rng.normal())) / np.float32(2.2)
    return np.interp(place, np.arange(256) - 128, rows).astype(np.float32).reshape(size, size)


def draw_window(rng: np.random.Generator) -> tuple[float, float]:
    """Centre and width in HU of a lung window as readers set it."""
    return float(rng.uniform(-680, -460)), float(rng.uniform(1150, 1900))


def to_gray(hounsfield: Field, *, centre: float, width: float) -> NDArray[np.uint8]:
    """Show HU as 8-bit gray: ``centre - width / 2`` is black, ``centre + width / 2`` white."""
    scaled = (hounsfield - np.float32(centre - width / 2)) * np.float32(255 / width)
    gray: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return gray

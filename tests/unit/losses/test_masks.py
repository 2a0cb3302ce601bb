"""Losses of masks by hand and against PyTorch."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from medistill.losses.logits import softened_kl
from medistill.losses.masks import UNKNOWN, pixel_cross_entropy, pixel_kl, soft_dice

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(2, 3, 4, 4, generator=GENERATOR)
MASKS = torch.randint(0, 3, (2, 4, 4), generator=GENERATOR)


def test_pytorchs_cross_entropy_gives_the_same_with_unknown_pixels() -> None:
    some = MASKS.clone()
    some[0, :2] = UNKNOWN
    expected = functional.cross_entropy(LOGITS, some, ignore_index=UNKNOWN)
    torch.testing.assert_close(pixel_cross_entropy(logits=LOGITS, masks=some), expected)


def test_dice_by_hand() -> None:
    """Even odds on four pixels, one of them lesion: 1 - (2 * .5 + 1) / (2 + 1 + 1)."""
    masks = torch.tensor([[[1, 0], [0, 0]]])
    found = soft_dice(logits=torch.zeros(1, 2, 2, 2), masks=masks)
    assert found.item() == pytest.approx(0.5)


def test_dice_of_a_sure_mask() -> None:
    masks = MASKS % 2
    sure = 50 * (functional.one_hot(masks, 2).permute(0, 3, 1, 2).float() - 0.5)
    assert soft_dice(logits=sure, masks=masks).item() == pytest.approx(0, abs=1e-5)
    absent = torch.zeros_like(masks)
    never = 50 * (functional.one_hot(absent, 2).permute(0, 3, 1, 2).float() - 0.5)
    assert soft_dice(logits=never, masks=absent).item() == pytest.approx(0, abs=1e-5)


def test_an_unlabelled_image_counts_in_neither() -> None:
    some = MASKS.clone()
    some[1] = UNKNOWN
    for loss in (pixel_cross_entropy, soft_dice):
        torch.testing.assert_close(
            loss(logits=LOGITS, masks=some), loss(logits=LOGITS[:1], masks=MASKS[:1])
        )
        nothing = torch.full_like(MASKS, UNKNOWN)
        assert loss(logits=LOGITS, masks=nothing).item() == 0


def test_divergence_is_hintons_at_each_pixel() -> None:
    teacher = torch.randn(2, 3, 4, 4, generator=GENERATOR)
    rows = [each.permute(0, 2, 3, 1).reshape(-1, 3) for each in (LOGITS, teacher)]
    expected = softened_kl(student=rows[0], teacher=rows[1], temperature=2.0)
    found = pixel_kl(student=LOGITS, teacher=teacher, temperature=2.0)
    torch.testing.assert_close(found, expected)


def test_the_student_comes_to_the_teachers_size() -> None:
    even, sure = torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 4, 4)
    sure[:, 1] = math.log(3)
    expected = 0.25 * math.log(0.5) + 0.75 * math.log(1.5)
    found = pixel_kl(student=even, teacher=sure, temperature=1.0)
    assert found.item() == pytest.approx(expected, rel=1e-5)

"""Masks alone."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from medistill.losses.masks import pixel_cross_entropy, soft_dice
from medistill.methods.supervised_masks import SupervisedMasks
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import make_batch

BATCH = make_batch(torch.zeros(2, 3))
MASKS = torch.randint(0, 3, (2, 4, 4), generator=torch.Generator().manual_seed(0))


def test_terms_are_those_of_the_losses() -> None:
    logits = torch.randn(2, 3, 4, 4)
    batch = dataclasses.replace(BATCH, masks=MASKS)
    found = SupervisedMasks(dice_weight=0.5).terms(Outputs(logits, {}), {}, batch, nn.ModuleDict())
    torch.testing.assert_close(found["pixels"], pixel_cross_entropy(logits=logits, masks=MASKS))
    torch.testing.assert_close(found["dice"], 0.5 * soft_dice(logits=logits, masks=MASKS))


def test_a_batch_without_masks_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="this batch has no masks"):
        SupervisedMasks().terms(Outputs(torch.zeros(2, 3, 4, 4), {}), {}, BATCH, nn.ModuleDict())

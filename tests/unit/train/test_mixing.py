"""Smoothing, mixup and cutmix, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from medistill.core.errors import RecipeError
from medistill.train.mixing import (
    Mix,
    box_mask,
    draw_mix,
    mix_batch,
    refuse_unmixable,
    smooth_labels,
)
from tests.unit.train.small import NAN, Sayings, make_batch, make_settings


def test_smoothing_agrees_with_torch() -> None:
    logits, classes = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
    smooth = smooth_labels(functional.one_hot(classes, 3).float(), 0.1, task="single-label")
    theirs = functional.cross_entropy(logits, classes, label_smoothing=0.1)
    torch.testing.assert_close(functional.cross_entropy(logits, smooth), theirs)


def test_smoothing_by_hand_leaves_unlabelled_rows() -> None:
    labels = torch.tensor([[1.0, 0.0], [NAN, NAN]])
    smooth = smooth_labels(labels, 0.2, task="single-label")
    assert smooth[0].tolist() == pytest.approx([0.9, 0.1])
    assert smooth[1].isnan().all()
    assert smooth_labels(labels, 0.0, task="single-label") is labels


def test_smoothing_of_several_labels_goes_to_yes_and_no() -> None:
    labels = torch.tensor([[1.0, 0.0, NAN, 1.0]])
    smooth = smooth_labels(labels, 0.2, task="multi-label")[0].tolist()
    assert smooth[:2] + smooth[3:] == pytest.approx([0.9, 0.1, 0.9])


def test_mixup_by_hand() -> None:
    batch = replace(make_batch(count=3), labels=torch.tensor([[1.0, 0.0], [0.0, 1.0], [NAN, NAN]]))
    mixed = mix_batch(batch, Mix(torch.tensor([1, 0, 1]), 0.75, None))
    torch.testing.assert_close(mixed.images[0], 0.75 * batch.images[0] + 0.25 * batch.images[1])
    assert mixed.labels[:2].tolist() == [[0.75, 0.25], [0.25, 0.75]]
    assert mixed.labels[2].isnan().all()
    assert mixed.mixed
    assert not batch.mixed
    spoilt = mix_batch(batch, Mix(torch.tensor([2, 1, 0]), 0.75, None))
    assert spoilt.labels[0].isnan().all()


def test_cutmix_replaces_the_same_box_at_both_sizes() -> None:
    batch = make_batch(count=2, size=8)
    black, white = torch.zeros(1, 12, 12), torch.ones(1, 12, 12)
    batch = replace(batch, teacher_images=torch.stack([black, white]))
    mixed = mix_batch(batch, Mix(torch.tensor([1, 0]), 7 / 8, (0.5, 0.0, 1.0, 0.25)))
    assert torch.equal(mixed.images[0, :, :2, 4:], batch.images[1, :, :2, 4:])
    assert torch.equal(mixed.images[0, :, 2:], batch.images[0, :, 2:])
    assert torch.equal(mixed.images[0, :, :, :4], batch.images[0, :, :, :4])
    assert mixed.teacher_images is not None
    assert mixed.teacher_images[0].sum() == 3 * 6
    assert mixed.teacher_images[0, 0, :3, 6:].min() == 1
    assert mixed.teacher_images[1].sum() == 144 - 3 * 6
    assert mixed.labels[0].tolist() == [7 / 8, 1 / 8]


def test_teacher_that_sees_the_same_images_sees_the_same_mixture() -> None:
    batch = make_batch()
    batch = replace(batch, teacher_images=batch.images)
    mixed = mix_batch(batch, Mix(torch.arange(8).flip(0), 0.5, None))
    assert mixed.teacher_images is mixed.images


def test_box_covers_its_area_at_every_size() -> None:
    box = (0.1, 0.33, 0.77, 0.91)
    for size in (7, 16, 224):
        mask = box_mask(box, size)
        assert mask.mean().item() == pytest.approx(0.67 * 0.58, rel=1e-5)
        assert mask.min() >= 0
        assert mask.max() <= 1 + 1e-6
    assert box_mask((0.0, 0.25, 0.5, 1.0), 2).tolist() == [[0.5, 0.0], [1.0, 0.0]]


def test_draws_follow_seed_and_step_alone() -> None:
    settings = make_settings(mixup=0.4, cutmix=1.0)
    first = draw_mix(settings, 3, 8)
    draw_mix(settings, 99, 8)
    again = draw_mix(settings, 3, 8)
    assert torch.equal(first.order, again.order)
    assert (first.kept, first.box) == (again.kept, again.box)
    others = [draw_mix(settings, 4, 8), draw_mix(make_settings(mixup=0.4, seed=1), 3, 8)]
    assert all(other.kept != first.kept for other in others)
    assert sorted(first.order.tolist()) == list(range(8))


def test_draws_have_the_papers_distribution() -> None:
    only_mixup = [draw_mix(make_settings(mixup=0.5), step, 2) for step in range(2000)]
    assert all(mix.box is None for mix in only_mixup)
    kept = torch.tensor([mix.kept for mix in only_mixup])
    # Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1)), here 1/8.
    assert kept.mean().item() == pytest.approx(0.5, abs=0.03)
    assert kept.var().item() == pytest.approx(1 / 8, abs=0.01)
    both = [draw_mix(make_settings(mixup=0.5, cutmix=0.5), step, 2) for step in range(2000)]
    assert sum(mix.box is not None for mix in both) == pytest.approx(1000, abs=70)


def test_kept_is_what_the_box_leaves() -> None:
    for step in range(50):
        mix = draw_mix(make_settings(cutmix=1.0), step, 2)
        assert mix.box is not None
        assert 0 <= mix.box[0] <= mix.box[2] <= 1
        assert mix.kept == pytest.approx(1 - box_mask(mix.box, 32).mean().item(), abs=1e-6)


def test_targets_of_single_images_refuse_mixing() -> None:
    refuse_unmixable(make_settings(), Sayings(mixable=False))
    refuse_unmixable(make_settings(cutmix=1.0), Sayings(mixable=True))
    refuse_unmixable(make_settings(cutmix=1.0), None)
    with pytest.raises(RecipeError, match=r"^train\.cutmix: .*Set train\.mixup and train\.cutmix"):
        refuse_unmixable(make_settings(cutmix=1.0), Sayings(mixable=False))

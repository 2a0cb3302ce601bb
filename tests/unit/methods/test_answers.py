"""What differs by the labels, held against the losses that it stands for."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from medistill.core.errors import RecipeError
from medistill.losses.labels import binary_cross_entropy, binary_kl
from medistill.losses.logits import softened_kl
from medistill.losses.masks import pixel_cross_entropy, pixel_kl, soft_dice
from medistill.losses.task import cross_entropy
from medistill.methods.answers import (
    check_answers,
    check_exclusive,
    label_terms,
    require_scores,
    scores_of,
    softened,
)
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import NAN, make_batch

LABELS = torch.tensor([[1.0, 0.0, NAN], [0.0, 1.0, 1.0]])
GENERATOR = torch.Generator().manual_seed(0)
STUDENT, TEACHER = (torch.randn(2, 3, generator=GENERATOR) for _ in range(2))


def test_labels_are_judged_as_one_class_or_each_by_itself() -> None:
    classes = make_batch(torch.eye(3)[:2])
    found = label_terms("single-label", Outputs(STUDENT, {}), classes, STUDENT)
    assert found == {"hard": cross_entropy(logits=STUDENT, labels=classes.labels)}
    found = label_terms("multi-label", Outputs(STUDENT, {}), make_batch(LABELS), STUDENT)
    assert found == {"hard": binary_cross_entropy(logits=STUDENT, labels=LABELS)}


def test_masks_are_judged_pixel_by_pixel_and_by_their_overlap() -> None:
    logits = torch.randn(2, 3, 4, 4, generator=GENERATOR)
    masks = torch.randint(0, 3, (2, 4, 4), generator=GENERATOR)
    batch = dataclasses.replace(make_batch(torch.eye(3)[:2]), masks=masks)
    found = label_terms("segmentation", Outputs(logits, {}), batch, logits)
    assert found["pixels"] == pixel_cross_entropy(logits=logits, masks=masks)
    assert found["dice"] == soft_dice(logits=logits, masks=masks)


def test_the_teacher_is_heard_as_the_labels_are() -> None:
    pair, batch = {"student": STUDENT, "teacher": TEACHER}, make_batch(LABELS)
    found = softened("single-label", **pair, batch=batch, temperature=2.0)
    assert found == softened_kl(**pair, temperature=2.0)
    found = softened("multi-label", **pair, batch=batch, temperature=2.0)
    # Of the unknown label of a labelled image it is silent.
    assert found == binary_kl(**pair, temperature=2.0, known=~LABELS.isnan())
    pixels = {name: value[:, :, None, None] for name, value in pair.items()}
    found = softened("segmentation", **pixels, batch=batch, temperature=2.0)
    assert found == pixel_kl(**pixels, temperature=2.0)


def test_pixels_are_compared_before_interpolation() -> None:
    assert scores_of("segmentation") == "coarse"
    assert require_scores("segmentation", frozenset({"coarse"})) == {"coarse"}
    assert require_scores("multi-label", frozenset()) == frozenset()
    with pytest.raises(RecipeError, match=r"no 'coarse' scores.*decoder=mlp"):
        require_scores("segmentation", frozenset({"tokens.0"}))
    ours, theirs = {"coarse": (2, 8, 8)}, {"coarse": (3, 4, 4)}
    with pytest.raises(RecipeError, match="it scores 3 classes, the student 2"):
        check_answers("segmentation", ours, theirs, standardise=False)
    with pytest.raises(RecipeError, match="two standardised logits"):
        check_answers("segmentation", ours, ours, standardise=True)


def test_labels_that_do_not_exclude_each_other_are_not_standardised() -> None:
    check_exclusive("single-label", standardise=True)
    check_exclusive("multi-label", standardise=False)
    with pytest.raises(RecipeError, match=r"exclude each other.*standardise=false"):
        check_exclusive("multi-label", standardise=True)

"""DIST's terms."""

from __future__ import annotations

import dataclasses

import torch
from torch import nn

from medistill.losses.relations import (
    batch_relations,
    class_relations,
    label_batch_relations,
    label_relations,
)
from medistill.methods.dist import Dist
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import NAN, make_batch

GENERATOR = torch.Generator().manual_seed(0)


def terms(classes: int, method: Dist) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    pair = {name: torch.randn(5, classes, generator=GENERATOR) for name in ("student", "teacher")}
    batch = make_batch(torch.eye(classes)[[0] * 5])
    outputs, targets = Outputs(pair["student"], {}), {"logits": pair["teacher"]}
    return pair, method.terms(outputs, targets, batch, nn.ModuleDict())


def test_both_correlations_are_weighted() -> None:
    pair, found = terms(3, Dist(temperature=2.0, class_weight=3.0, batch_weight=5.0))
    expected = 3 * class_relations(**pair, temperature=2.0)
    torch.testing.assert_close(found["class_relations"], expected)
    expected = 5 * batch_relations(**pair, temperature=2.0)
    torch.testing.assert_close(found["batch_relations"], expected)


def test_with_two_classes_the_inert_term_is_named_and_left_out() -> None:
    _, found = terms(2, Dist())
    assert set(found) == {"hard", "batch_relations"}
    assert set(Dist().inert(2)) == {"class_relations"}
    assert not Dist().inert(3)


def test_labels_that_do_not_exclude_each_other_are_correlated_where_the_teacher_may_speak() -> None:
    labels = torch.tensor([[1.0, 0.0, NAN], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
    student, teacher = (torch.randn(3, 3, generator=GENERATOR) for _ in range(2))
    found = Dist(task="multi-label", class_weight=3.0, batch_weight=5.0).terms(
        Outputs(student, {}), {"logits": teacher}, make_batch(labels), nn.ModuleDict()
    )
    asked = {"student": student, "teacher": teacher, "temperature": 1.0, "known": ~labels.isnan()}
    torch.testing.assert_close(found["class_relations"], 3 * label_relations(**asked))  # type: ignore[arg-type]
    torch.testing.assert_close(found["batch_relations"], 5 * label_batch_relations(**asked))  # type: ignore[arg-type]


def test_pixels_count_as_images() -> None:
    """Two images of two pixels are four rows of class scores."""
    student, teacher = (torch.randn(2, 3, 1, 2, generator=GENERATOR) for _ in range(2))
    batch = dataclasses.replace(
        make_batch(torch.eye(3)[:2]), masks=torch.zeros(2, 4, 8, dtype=torch.int64)
    )
    outputs = Outputs(torch.zeros(2, 3, 4, 8), {"coarse": student})
    method = Dist(task="segmentation", class_weight=1.0, batch_weight=1.0)
    found = method.terms(outputs, {"coarse": teacher}, batch, nn.ModuleDict())
    rows = {
        name: torch.stack([maps[b, :, 0, w] for b in range(2) for w in range(2)])
        for name, maps in {"student": student, "teacher": teacher}.items()
    }
    torch.testing.assert_close(found["class_relations"], class_relations(**rows, temperature=1.0))
    torch.testing.assert_close(found["batch_relations"], batch_relations(**rows, temperature=1.0))
    assert set(found) == {"pixels", "dice", "class_relations", "batch_relations"}


def test_two_images_cannot_be_correlated_but_their_pixels_can() -> None:
    assert Dist().smallest_batch == Dist(task="multi-label").smallest_batch == 3
    assert Dist(task="segmentation").smallest_batch == 1

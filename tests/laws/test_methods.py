"""What holds for every method in the catalogue."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from medistill.catalog import METHODS, resolve
from medistill.data.batch import Batch
from medistill.imaging.preprocessing import Preprocessing
from medistill.methods.method import Method
from medistill.models.network import Network, feature_shapes
from medistill.models.outputs import Outputs
from medistill.models.vit import VisionTransformer

CLASSES, IMAGES = 3, 4


def network(size: int, width: int, *, distilled: bool = False) -> Network:
    backbone = VisionTransformer(
        image_size=size,
        patch_size=8,
        width=width,
        depth=2,
        heads=2,
        classes=CLASSES,
        distilled=distilled,
    )
    return Network(backbone, Preprocessing(size=size))


class OnlyNeeded(Mapping[str, Tensor]):
    """Targets that know what was read, and hold nothing that was not asked for."""

    def __init__(self, targets: dict[str, Tensor]) -> None:
        self.targets, self.read = targets, set[str]()

    def __getitem__(self, name: str) -> Tensor:
        self.read.add(name)
        return self.targets[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.targets)

    def __len__(self) -> int:
        return len(self.targets)


class Lesson:
    """A student, a larger teacher, a batch, and what a method makes of them."""

    def __init__(self, name: str, *, distilled: bool) -> None:
        torch.manual_seed(0)
        self.method: Method = resolve(METHODS, name, kind="method", where="test")()
        self.student = network(16, 12, distilled=distilled)
        teacher = network(32, 20).eval()
        labels = torch.eye(CLASSES)[torch.arange(IMAGES) % CLASSES]
        self.batch = Batch(
            index=torch.arange(IMAGES),
            view=torch.ones(IMAGES, dtype=torch.int64),
            hashes=[str(row) for row in range(IMAGES)],
            images=torch.rand(IMAGES, 1, 16, 16),
            teacher_images=torch.rand(IMAGES, 1, 32, 32),
            labels=labels,
        )
        features = self.method.needs - {"logits"}
        with torch.no_grad():
            # Bolder logits than those of random weights, so that there is something to learn.
            said = teacher(self.batch.teacher_images, features)
        targets = {"logits": 20 * said.logits, **said.features}
        self.targets = OnlyNeeded(
            {name: targets[name].requires_grad_() for name in self.method.needs}
        )
        self.adapters = self.method.adapters(
            feature_shapes(self.student, self.method.wants(self.student)),
            feature_shapes(teacher, features),
        )

    def terms(self, batch: Batch | None = None, order: Tensor | None = None) -> dict[str, Tensor]:
        batch, targets = batch or self.batch, self.targets
        outputs: Outputs = self.student(batch.images, self.method.wants(self.student))
        if order is not None:
            targets = OnlyNeeded({name: value[order] for name, value in targets.targets.items()})
        return self.method.terms(outputs, targets, batch, self.adapters)


@pytest.fixture(params=[False, True], ids=["plain", "distilled"])
def lesson(name: str, request: pytest.FixtureRequest) -> Lesson:
    return Lesson(name, distilled=request.param)


pytestmark = pytest.mark.parametrize("name", METHODS)


def kind(name: str) -> Any:
    return resolve(METHODS, name, kind="method", where="test")


def test_fields_are_the_yaml_block(name: str) -> None:
    method = kind(name)()
    assert dataclasses.is_dataclass(method)
    assert type(method)(**dataclasses.asdict(method)) == method
    for item in dataclasses.fields(method):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(method, item.name, None)


def test_module_cites_and_lists_departures(name: str) -> None:
    text = inspect.getdoc(sys.modules[kind(name).__module__]) or ""
    assert "\nDepartures from the paper\n-------------------------\n" in text
    for item in dataclasses.fields(kind(name)):
        assert f"``{item.name}``" in text or f"{item.name}:" in (inspect.getdoc(kind(name)) or "")


def test_every_term_reaches_the_student(lesson: Lesson) -> None:
    for name, term in lesson.terms().items():
        lesson.student.zero_grad()
        term.backward(retain_graph=True)
        given = lesson.student.backbone.patch_embed.proj.weight.grad
        assert given is not None, f"{name} does not reach the student"
        assert given.any(), f"{name} does not reach the student"


def test_terms_are_finite_scalars_of_float32_at_least_zero(lesson: Lesson) -> None:
    terms = lesson.terms()
    assert terms
    for term in terms.values():
        assert term.shape == ()
        assert term.dtype == torch.float32
        assert term.isfinite()
        assert term >= 0


def test_no_gradient_reaches_the_targets(lesson: Lesson) -> None:
    torch.stack(list(lesson.terms().values())).sum().backward()
    assert all(target.grad is None for target in lesson.targets.targets.values())


def test_adapters_learn(lesson: Lesson) -> None:
    assert isinstance(lesson.adapters, nn.ModuleDict)
    torch.stack(list(lesson.terms().values())).sum().backward()
    for parameter in lesson.adapters.parameters():
        assert parameter.grad is not None
        assert parameter.grad.any()


def test_it_reads_what_it_needs(lesson: Lesson) -> None:
    lesson.terms()
    assert lesson.targets.read == lesson.method.needs
    assert lesson.method.wants(lesson.student) <= lesson.student.feature_names


def test_order_of_the_batch_does_not_matter(lesson: Lesson) -> None:
    order = torch.tensor([2, 0, 3, 1])
    shuffled = dataclasses.replace(
        lesson.batch, images=lesson.batch.images[order], labels=lesson.batch.labels[order]
    )
    again = lesson.terms(shuffled, order)
    for name, term in lesson.terms().items():
        torch.testing.assert_close(again[name], term, rtol=1e-5, atol=1e-6)


def test_unlabelled_images_are_no_error(lesson: Lesson) -> None:
    unlabelled = torch.full_like(lesson.batch.labels, float("nan"))
    terms = lesson.terms(dataclasses.replace(lesson.batch, labels=unlabelled))
    assert all(term.isfinite() for term in terms.values())


def test_equal_logits_are_safe(lesson: Lesson) -> None:
    """A zero-initialised head is how fine-tuning often starts."""
    for head in ("head", "head_dist"):
        if hasattr(lesson.student.backbone, head):
            nn.init.zeros_(getattr(lesson.student.backbone, head).weight)
            nn.init.zeros_(getattr(lesson.student.backbone, head).bias)
    torch.stack(list(lesson.terms().values())).sum().backward()
    for parameter in lesson.student.parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all()

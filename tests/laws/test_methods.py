"""What holds for every method in the catalogue."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from medistill.catalog import METHODS, resolve
from medistill.core.errors import RecipeError
from medistill.data.batch import Batch
from medistill.data.masks import UNKNOWN
from medistill.imaging.preprocessing import Preprocessing
from medistill.methods.method import SEGMENTATION, Method
from medistill.models.network import Network, feature_shapes
from medistill.models.outputs import Outputs
from medistill.models.segmentation import Segmenter
from medistill.models.timm_bridge import TimmModel
from medistill.models.vit import VisionTransformer

CLASSES, IMAGES = 3, 4
STUDENTS: dict[str, Callable[[], Network]] = {
    "plain": lambda: vit(16, 12, depth=4),
    "distilled": lambda: vit(16, 12, depth=4, distilled=True),
    "maps": lambda: timm("mobilevit_xxs", 64),
    "masks": lambda: segmenter(16),
}
TEACHERS: tuple[Callable[[], Network], ...] = (
    lambda: vit(32, 20, depth=12, patch=16),
    lambda: timm("test_resnet", 64),
    lambda: segmenter(24),
)


def vit(size: int, width: int, *, depth: int, patch: int = 8, distilled: bool = False) -> Network:
    backbone = VisionTransformer(
        image_size=size,
        patch_size=patch,
        width=width,
        depth=depth,
        heads=2,
        classes=CLASSES,
        distilled=distilled,
    )
    return Network(backbone, Preprocessing(size=size))


def timm(name: str, size: int) -> Network:
    return Network(TimmModel(name, classes=CLASSES), Preprocessing(size=size))


def segmenter(width: int) -> Network:
    encoder = TimmModel("pvt_v2_b0", classes=0)
    return Network(Segmenter(encoder, classes=CLASSES, width=width), Preprocessing(size=64))


@functools.cache
def made(make: Callable[[], Network]) -> Network:
    torch.manual_seed(0)
    return make()


def teacher_for(method: Method) -> Network:
    """The first that shows what the method reads."""
    features = method.needs - {"logits"}
    return next(made(make) for make in TEACHERS if made(make).feature_names >= features).eval()


def refuse_foreign(method: Method, name: str, student: str) -> None:
    """Leave out what cannot be, and maps where a method takes tokens as well."""
    masks = method.tasks <= SEGMENTATION
    wrong = masks != (student == "masks") or (student == "maps" and accepts(name, "plain"))
    if wrong:
        raise RecipeError(where=name, what=f"not tried with {student}", cure="Nothing to do.")


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

    def __init__(self, name: str, student: str) -> None:
        torch.manual_seed(0)
        self.method: Method = resolve(METHODS, name, kind="method", where="test")()
        refuse_foreign(self.method, name, student)
        self.student = copy.deepcopy(made(STUDENTS[student]))
        want = self.method.wants(self.student)
        teacher = teacher_for(self.method)
        self.batch = Batch(
            index=torch.arange(IMAGES),
            view=torch.ones(IMAGES, dtype=torch.int64),
            hashes=[str(row) for row in range(IMAGES)],
            images=torch.rand(IMAGES, *self.student.input_shape),
            teacher_images=torch.rand(IMAGES, *teacher.input_shape),
            labels=torch.eye(CLASSES)[torch.arange(IMAGES) % CLASSES],
            masks=torch.randint(0, CLASSES, (IMAGES, 64, 64)) if student == "masks" else None,
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
            feature_shapes(self.student, want), feature_shapes(teacher, features)
        )

    def terms(self, batch: Batch | None = None, order: Tensor | None = None) -> dict[str, Tensor]:
        batch, targets = batch or self.batch, self.targets
        outputs: Outputs = self.student(batch.images, self.method.wants(self.student))
        if order is not None:
            targets = OnlyNeeded({name: value[order] for name, value in targets.targets.items()})
        return self.method.terms(outputs, targets, batch, self.adapters)


@pytest.fixture(params=STUDENTS)
def lesson(name: str, request: pytest.FixtureRequest) -> Lesson:
    try:
        return Lesson(name, request.param)
    except RecipeError as refusal:
        # A method may refuse a kind of student, in words; never every kind.
        assert any(accepts(name, student) for student in STUDENTS)
        pytest.skip(str(refusal))


@functools.cache
def accepts(name: str, student: str) -> bool:
    try:
        Lesson(name, student)
    except RecipeError:
        return False
    return True


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
        given = next(lesson.student.parameters()).grad
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
        lesson.batch,
        hashes=[lesson.batch.hashes[row] for row in order.tolist()],
        images=lesson.batch.images[order],
        labels=lesson.batch.labels[order],
        masks=None if lesson.batch.masks is None else lesson.batch.masks[order],
    )
    again = lesson.terms(shuffled, order)
    for name, term in lesson.terms().items():
        torch.testing.assert_close(again[name], term, rtol=1e-5, atol=1e-6)


def test_unlabelled_images_are_no_error(lesson: Lesson) -> None:
    unlabelled = torch.full_like(lesson.batch.labels, float("nan"))
    masks = lesson.batch.masks
    batch = dataclasses.replace(
        lesson.batch,
        labels=unlabelled,
        masks=None if masks is None else torch.full_like(masks, UNKNOWN),
    )
    terms = lesson.terms(batch)
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

"""What holds for every method in the catalogue."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from medistill.catalog import METHODS, resolve
from medistill.core.errors import RecipeError
from medistill.core.types import Task
from medistill.data.batch import Batch
from medistill.imaging.masks import UNKNOWN
from medistill.imaging.preprocessing import Preprocessing
from medistill.methods.guided import Guide, Guided
from medistill.methods.method import MULTI_LABEL, SEGMENTATION, Method
from medistill.models.network import Network, feature_shapes
from medistill.models.outputs import Outputs
from medistill.models.segmentation import Segmenter
from medistill.models.timm_bridge import TimmModel
from medistill.models.vit import VisionTransformer
from tests.elsewhere import elsewhere

CLASSES, IMAGES = 3, 4
UNLABELLED = float("nan")
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
IMAGE_STUDENTS = ("plain", "distilled", "maps")
#: Kinds of students that each method takes; it refuses the others, in words.
TAKES: dict[str, tuple[str, ...]] = {
    "affinity": ("plain", "distilled", "maps", "masks"),
    "deit": ("distilled",),
    "deit_cxr": ("distilled",),
    "dist": IMAGE_STUDENTS,
    "dkd": IMAGE_STUDENTS,
    "drpl_vit": ("distilled",),
    "embedding": ("plain", "distilled", "maps", "masks"),
    "hinton": IMAGE_STUDENTS,
    "kdvit": IMAGE_STUDENTS,
    "locality": IMAGE_STUDENTS,
    "multi_label": IMAGE_STUDENTS,
    "nkd": IMAGE_STUDENTS,
    "ofa": IMAGE_STUDENTS,
    "rms_net": ("maps",),
    "rskd": ("masks",),
    "supervised": IMAGE_STUDENTS,
    "supervised_labels": IMAGE_STUDENTS,
    "supervised_masks": ("masks",),
    "vitkd": ("plain", "distilled"),
    "vkd": IMAGE_STUDENTS,
    "dist of labels": IMAGE_STUDENTS,
    "dist of masks": ("masks",),
    "deit_cxr with a guide": ("distilled",),
    "embedding with a map": ("plain", "distilled", "maps", "masks"),
    "hinton with a guide": IMAGE_STUDENTS,
    "locality of labels": IMAGE_STUDENTS,
    "locality of masks": ("masks",),
    "multi_label with a guide": IMAGE_STUDENTS,
    "ofa of labels": IMAGE_STUDENTS,
    "vkd of labels": IMAGE_STUDENTS,
}
#: Further forms of methods: whose they are, and with which values.
FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "dist of labels": ("dist", {"task": "multi-label"}),
    "dist of masks": ("dist", {"task": "segmentation"}),
    "deit_cxr with a guide": ("deit_cxr", {"kind": "soft"}),
    "embedding with a map": ("embedding", {"map_weight": 1.0}),
    "hinton with a guide": ("hinton", {}),
    "locality of labels": ("locality", {"task": "multi-label", "soft_weight": 1.0}),
    "locality of masks": (
        "locality",
        {
            "task": "segmentation",
            "soft_weight": 1.0,
            "teacher_stages": ("level1", "level2", "level3"),
        },
    ),
    "multi_label with a guide": ("multi_label", {}),
    "ofa of labels": ("ofa", {"task": "multi-label"}),
    "vkd of labels": ("vkd", {"task": "multi-label"}),
}
#: Ending of the forms that have a guide beside them.
GUIDE = " with a guide"
#: These read logits alone, whatever makes them: one kind of student says all.
LOGITS_ALONE = {"dist", "dist of labels", "dkd", "kdvit", "multi_label", "nkd"}
PAIRS = [
    (name, student)
    for name, students in TAKES.items()
    for student in (students[:1] if name in LOGITS_ALONE else students)
]
OTHERS = [(name, student) for name in TAKES for student in STUDENTS if student not in TAKES[name]]
#: Pairs in which the student shows all that its method reads, so that it can be its own teacher.
AGREEING = [
    (name, student)
    for name, student in PAIRS
    if name.split()[0] not in {"locality", "vitkd"}
    and name != "embedding with a map"
    and not name.endswith(GUIDE)
    and (name != "affinity" or student == "maps")
]
#: Terms that come from labels alone.
LABEL_TERMS = {"hard", "head", "pixels", "dice", "focal"}
#: Terms that are not smallest where student and teacher agree, and why.
NOT_AT_AGREEMENT = {
    "head_dist": "a decision is approached without end",
    "target": "NKD's weighs the target's cross-entropy",
    "ranks": "ListMLE's infimum is not at agreement",
    "features": "the goal is layer-normed first",
    "embedding": "the goal is layer-normed first",
    "generate": "part of the student is hidden",
    "exits": "a cross-entropy to the teacher has its entropy as minimum",
    "stages": "the cascade is a network of its own",
}


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

    def __init__(self, name: str, student: str, **values: Any) -> None:
        torch.manual_seed(0)
        self.method: Method = form(name, **values)
        self.student = copy.deepcopy(made(STUDENTS[student]))
        self.want = self.method.wants(self.student)
        teacher = teacher_for(self.method)
        self.batch = Batch(
            index=torch.arange(IMAGES),
            view=torch.ones(IMAGES, dtype=torch.int64),
            hashes=[str(row) for row in range(IMAGES)],
            images=torch.rand(IMAGES, *self.student.input_shape),
            teacher_images=torch.rand(IMAGES, *teacher.input_shape),
            labels=labels_for(self.method),
            masks=torch.randint(0, CLASSES, (IMAGES, 64, 64)) if student == "masks" else None,
        )
        features = self.method.needs - {"logits"}
        with torch.no_grad():
            # Bolder logits than those of random weights, so that there is something to learn.
            said = teacher(self.batch.teacher_images, features)
        self.hear({"logits": 20 * said.logits, **said.features})
        self.adapters = self.method.adapters(
            feature_shapes(self.student, self.want), feature_shapes(teacher, features)
        )

    def hear(self, targets: Mapping[str, Tensor]) -> None:
        """Make these the teacher's word."""
        self.targets = OnlyNeeded(
            {name: targets[name].detach().requires_grad_() for name in self.method.needs}
        )

    def outputs(self, batch: Batch | None = None) -> Outputs:
        found: Outputs = self.student((batch or self.batch).images, self.want)
        return found

    def terms(self, batch: Batch | None = None, order: Tensor | None = None) -> dict[str, Tensor]:
        batch, targets = batch or self.batch, self.targets
        if order is not None:
            targets = OnlyNeeded({name: value[order] for name, value in targets.targets.items()})
        return self.method.terms(self.outputs(batch), targets, batch, self.adapters)


def labels_for(method: Method) -> Tensor:
    """One class an image, or several labels of which one is unknown."""
    if method.tasks == MULTI_LABEL:
        labels = torch.tensor([[1.0, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 0]])
        labels[3, 1] = UNLABELLED
        return labels
    return torch.eye(CLASSES)[torch.arange(IMAGES) % CLASSES]


@pytest.fixture
def lesson(name: str, student: str) -> Lesson:
    return Lesson(name, student)


every_method = pytest.mark.parametrize("name", METHODS)
every_pair = pytest.mark.parametrize(("name", "student"), PAIRS)


def test_every_method_says_which_students_it_takes() -> None:
    assert set(TAKES) == set(METHODS) | set(FORMS)
    assert all(TAKES.values())


@pytest.mark.parametrize(("name", "student"), OTHERS)
def test_other_students_are_refused_in_words(name: str, student: str) -> None:
    method = form(name)
    if (student == "masks") == (method.tasks <= SEGMENTATION):
        with pytest.raises(RecipeError, match=r"\. "):  # what, and then the cure
            Lesson(name, student)
    else:  # the task is refused before the student is looked at
        assert ("segmentation" in method.tasks) != (student == "masks")


def kind(name: str) -> Any:
    """The class of a method, or of one of its forms."""
    return resolve(METHODS, FORMS.get(name, (name,))[0], kind="method", where="test")


def form(name: str, **values: Any) -> Method:
    """A method with these values, or one of its forms."""
    made: Method = kind(name)(**{**FORMS.get(name, (name, {}))[1], **values})
    return Guided(method=made, guide=Guide()) if name.endswith(GUIDE) else made


def test_what_a_method_does_not_take_it_says_with_reason_and_cure() -> None:
    for name in TAKES:
        method = form(name)
        for task in get_args(Task):
            if task not in method.tasks:
                reason, cure = method.undefined[task]
                assert not reason.endswith(".")
                assert cure.endswith(".")


@every_method
def test_fields_are_the_yaml_block(name: str) -> None:
    method = kind(name)()
    assert dataclasses.is_dataclass(method)
    assert type(method)(**dataclasses.asdict(method)) == method
    for item in dataclasses.fields(method):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(method, item.name, None)


@every_method
def test_module_cites_and_lists_departures(name: str) -> None:
    text = inspect.getdoc(sys.modules[kind(name).__module__]) or ""
    assert "\nDepartures from the paper\n-------------------------\n" in text
    for item in dataclasses.fields(kind(name)):
        assert f"``{item.name}``" in text or f"{item.name}:" in (inspect.getdoc(kind(name)) or "")


@every_pair
def test_every_term_reaches_the_student(lesson: Lesson) -> None:
    for name, term in lesson.terms().items():
        lesson.student.zero_grad()
        term.backward(retain_graph=True)
        given = next(lesson.student.parameters()).grad
        assert given is not None, f"{name} does not reach the student"
        assert given.any(), f"{name} does not reach the student"


@every_pair
def test_terms_are_finite_scalars_of_float32_at_least_zero(lesson: Lesson) -> None:
    terms = lesson.terms()
    assert terms
    for term in terms.values():
        assert term.shape == ()
        assert term.dtype == torch.float32
        assert term.isfinite()
        assert term >= 0


@every_pair
def test_no_gradient_reaches_the_targets(lesson: Lesson) -> None:
    torch.stack(list(lesson.terms().values())).sum().backward()
    assert all(target.grad is None for target in lesson.targets.targets.values())


@every_pair
def test_terms_are_computed_where_the_networks_are(lesson: Lesson) -> None:
    with elsewhere() as there:
        lesson.student.to(there)
        lesson.adapters.to(there)
        lesson.batch = lesson.batch.to(there)
        given = {name: value.detach() for name, value in lesson.targets.targets.items()}
        lesson.hear({name: value.to(there) for name, value in given.items()})
        terms = lesson.terms()
        assert {term.device for term in terms.values()} == {there}
        torch.stack(list(terms.values())).sum().backward()
        assert next(lesson.student.parameters()).grad.device == there


@every_pair
def test_adapters_learn(lesson: Lesson) -> None:
    assert isinstance(lesson.adapters, nn.ModuleDict)
    torch.stack(list(lesson.terms().values())).sum().backward()
    for parameter in lesson.adapters.parameters():
        assert parameter.grad is not None
        assert parameter.grad.any()


@every_pair
def test_it_reads_what_it_needs(lesson: Lesson) -> None:
    lesson.terms()
    assert lesson.targets.read == lesson.method.needs
    assert lesson.method.wants(lesson.student) <= lesson.student.feature_names


@every_pair
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


@every_pair
def test_unlabelled_images_are_no_error(lesson: Lesson) -> None:
    unlabelled = torch.full_like(lesson.batch.labels, UNLABELLED)
    masks = lesson.batch.masks
    batch = dataclasses.replace(
        lesson.batch,
        labels=unlabelled,
        masks=None if masks is None else torch.full_like(masks, UNKNOWN),
    )
    terms = lesson.terms(batch)
    assert all(term.isfinite() for term in terms.values())


@every_pair
def test_equal_logits_are_safe(lesson: Lesson) -> None:
    """A zero-initialised head is how fine-tuning often starts."""
    for head in ("head", "head_dist"):
        if hasattr(lesson.student.backbone, head):
            nn.init.zeros_(getattr(lesson.student.backbone, head).weight)
            nn.init.zeros_(getattr(lesson.student.backbone, head).bias)
    torch.stack(list(lesson.terms().values())).sum().backward()
    for parameter in lesson.student.parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all()


def free(outputs: Outputs) -> Outputs:
    """The same values, to ask for a gradient to each of them alone."""
    features = {n: value.detach().requires_grad_() for n, value in outputs.features.items()}
    return Outputs(outputs.logits.detach().requires_grad_(), features)


def scores(outputs: Outputs) -> list[Tensor]:
    """Class scores among a student's outputs."""
    heads = (outputs.features[n] for n in ("head", "head_dist") if n in outputs.features)
    return [outputs.logits, *heads]


@every_pair
def test_what_nobody_labelled_teaches_no_term_of_labels(lesson: Lesson) -> None:
    """Unlabelled images, unknown labels and unknown pixels get no gradient from label terms."""
    labels, masks = lesson.batch.labels.clone(), lesson.batch.masks
    if lesson.method.tasks != MULTI_LABEL:
        labels[1] = UNLABELLED
    unknown = labels.isnan()
    if masks is not None:
        masks = masks.clone()
        masks[:, 20:40] = UNKNOWN
        unknown = (masks == UNKNOWN)[:, None].expand(-1, CLASSES, -1, -1)
    batch = dataclasses.replace(lesson.batch, labels=labels, masks=masks)
    outputs = free(lesson.outputs())
    terms = lesson.method.terms(outputs, lesson.targets, batch, lesson.adapters)
    asked = [n for n in terms if n in LABEL_TERMS or lesson.method.needs == frozenset()]
    if lesson.method.tasks == MULTI_LABEL:
        # The teacher is silent of an unknown label too, where others of the image are known.
        asked += [n for n in terms if n in {"soft", "batch_relations", "class_relations"}]
    reached = 0.0
    for name in asked:
        for gradient, logits in zip(
            torch.autograd.grad(terms[name], scores(outputs), retain_graph=True, allow_unused=True),
            scores(outputs),
            strict=True,
        ):
            if gradient is not None:
                assert not gradient[unknown].any(), name
                assert gradient.shape == logits.shape
                reached += gradient.abs().sum().item()
    assert bool(reached) == bool(asked)


@pytest.mark.parametrize(("name", "student"), AGREEING)
def test_terms_are_smallest_where_student_and_teacher_agree(lesson: Lesson) -> None:
    outputs = bold(lesson.outputs())
    known = {"logits": outputs.logits, **outputs.features}
    if "head_dist" in known:  # what hears the teacher where there are two heads
        known["logits"] = known["head_dist"]
    lesson.hear({name: known[name] for name in lesson.method.needs})
    dims = {name: tuple(value.shape[1:]) for name, value in known.items()}
    adapters = identities(lesson.method.adapters(dims, dims))
    terms = lesson.method.terms(outputs, lesson.targets, lesson.batch, adapters)
    compared = set(terms) - LABEL_TERMS - NOT_AT_AGREEMENT.keys()
    if type(lesson.method) is kind("ofa"):
        compared -= {"soft"}  # as its exits
    for name in compared:
        assert terms[name].item() == pytest.approx(0, abs=1e-5), name


def bold(outputs: Outputs) -> Outputs:
    """The same with class scores that differ: of near equal ones, correlations are damped."""

    def drawn(value: Tensor) -> Tensor:
        # Among many pixels some have near equal scores: these are bolder still.
        scale = 3 if value.dim() < 4 else 30
        return scale * torch.randn(value.shape, generator=torch.Generator().manual_seed(len(value)))

    heads = {"head", "head_dist", "coarse"}
    features = {n: drawn(v) if n in heads else v for n, v in outputs.features.items()}
    logits = outputs.logits if outputs.logits.dim() > 2 else drawn(outputs.logits)
    return Outputs(logits, features)


def identities(adapters: nn.ModuleDict) -> nn.ModuleDict:
    """Projections between equal widths, made to change nothing."""
    for module in adapters.modules():
        if not isinstance(module, nn.Linear | nn.Conv2d):
            continue
        weight = module.weight
        if weight.shape[0] == weight.shape[1] and weight.shape[2:].numel() == 1:
            with torch.no_grad():
                weight.copy_(torch.eye(len(weight)).reshape(weight.shape))
                if module.bias is not None:
                    module.bias.zero_()
    return adapters


@every_pair
def test_finite_when_the_student_computes_in_bfloat16(lesson: Lesson) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = lesson.terms()
    for term in terms.values():
        assert term.dtype == torch.float32
        assert term.isfinite()
    torch.stack(list(terms.values())).sum().backward()
    for parameter in lesson.student.parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all()


STANDARDISING = [
    (name, student)
    for name, student in PAIRS
    if "standardise" in {item.name for item in dataclasses.fields(kind(name))}
    and form(name).tasks != MULTI_LABEL
    and not name.endswith(GUIDE)
]
#: Values with which a method compares softened scores.
SPOKEN: dict[str, dict[str, Any]] = {
    "deit": {"kind": "soft"},
    "deit_cxr": {"kind": "soft"},
    "drpl_vit": {"kind": "soft"},
    "locality": {"soft_weight": 1.0},
}


def test_every_logit_loss_can_be_standardised() -> None:
    single = {n for n in METHODS if "single-label" in form(n).tasks}
    reading = {n for n in single if "logits" in form(n, **SPOKEN.get(n, {})).needs}
    of_pixels = {"rskd", "dist of masks", "locality of masks"}
    assert {name for name, _ in STANDARDISING} == reading | of_pixels


@pytest.mark.parametrize("name", [n for n in FORMS if n.endswith("labels")])
def test_labels_that_do_not_exclude_each_other_are_not_standardised(name: str) -> None:
    with pytest.raises(RecipeError, match=r"over classes that exclude each other.*=false"):
        form(name, standardise=True)


@pytest.mark.parametrize(("name", "student"), STANDARDISING)
def test_a_standardised_teacher_has_no_scale(name: str, student: str) -> None:
    lesson = Lesson(name, student, standardise=True, **SPOKEN.get(name, {}))
    before = lesson.terms()
    scaled = {n: value.detach() for n, value in lesson.targets.targets.items()}
    for spoken in {"logits", "coarse"} & set(scaled):
        # NKD also weighs by the teacher's own probabilities, which have a scale.
        scaled[spoken] = 3 * scaled[spoken] + 1
    lesson.hear(scaled)
    for term, value in lesson.terms().items():
        if (name, term) not in {("nkd", "target"), ("vitkd", "target")}:
            torch.testing.assert_close(value, before[term], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("name", "student"), STANDARDISING)
def test_two_classes_are_not_standardised(name: str, student: str) -> None:
    lesson = Lesson(name, student)
    method = form(name, standardise=True, **SPOKEN.get(name, {}))
    dims = dict(feature_shapes(lesson.student, method.wants(lesson.student)))
    teacher = dict(feature_shapes(teacher_for(method), method.needs - {"logits"}))
    for shapes in (dims, teacher):
        for spoken in {"logits", "coarse"} & set(shapes):
            shapes[spoken] = (2, *shapes[spoken][1:])
    with pytest.raises(RecipeError, match="standardise: two standardised logits are -1 and 1"):
        method.adapters(dims, teacher)

"""Small numbers for every shipped recipe, so that it runs in seconds."""

from __future__ import annotations

from medistill.recipe import Recipe, load_recipe

VIT = "name: vit, image_size: 32, patch_size: 8, width: 32, heads: 2"
STUDENT = "name: vit, image_size: 32, patch_size: 8, width: 16, depth: 4, heads: 2"
SMALL = (
    "data.stored_size=32",
    "data.workers=0",
    "views.count=1",
    "student_weights=null",
    "teacher.members=1",
    "teacher.cross_fit=false",
    "teacher.fit={epochs: 1, batch_size: 64, lr: 1.0e-3}",
    "train.epochs=1",
    "train.warmup_epochs=0",
    "train.batch_size=8",
    "export.variants=false",  # the gate has tests of its own
)


def small_overrides(name: str) -> tuple[str, ...]:
    """What makes a shipped recipe small, whatever it is."""
    recipe = load_recipe(name)
    folds = 2 if name == "kdvit" else 1
    found = [
        f"data.folds={folds}",
        f"data.path=phantom:count=80,size=32{_task(recipe)}",
        *SMALL,
        *_teacher(recipe),
    ]
    if recipe.data.unlabelled:
        found.append("data.unlabelled=phantom:count=8,size=32,seed=1")
    if recipe.predistil:
        found += ["predistil.train.epochs=1", "predistil.train.warmup_epochs=0"]
        found += ["predistil.train.batch_size=8"]
    return (*found, *_student(recipe))


def _task(recipe: Recipe) -> str:
    tasks = recipe.method.tasks
    if "single-label" in tasks:
        return ",task=lesion-type" if getattr(recipe.method, "standardise", False) else ""
    return ",task=lesions" if "multi-label" in tasks else ",task=segmentation"


def _teacher(recipe: Recipe) -> list[str]:
    """A ViT for a ViT, EfficientNet-Lite0 for a convolutional network."""
    teacher = recipe.teacher
    probe = ["teacher.fit=null", "teacher.probe.views=1"] if teacher.probe else []
    if probe and not teacher.predistil:
        return [*probe, "teacher.model={name: tf_efficientnet_lite0, image_size: 32}"]
    if teacher.model.decoder:
        ranked = teacher.model.name.startswith("pvt")
        name = "pvt_v2_b0" if ranked else "tf_efficientnet_lite0"
        fit = "teacher.fit={epochs: 1, batch_size: 16, lr: 1.0e-3, select_by: dice}"
        model = f"{{name: {name}, image_size: 64, decoder: mlp, decoder_width: 16}}"
        weights = "null" if ranked else "published"
        return [f"teacher.model={model}", f"teacher.weights={weights}", fit, *_first(recipe)]
    if teacher.model.name.startswith("vit"):
        # As many blocks as the recipe names, and a few where it names none.
        named = [int(name.rpartition(".")[2]) for name in _read(recipe) if "." in name]
        depth = max([3, *named]) + 1
        model = f"{{{VIT}, depth: {depth}}}"
        return [f"teacher.model={model}", "teacher.weights=null", *probe, *_first(recipe)]
    return ["teacher.model={name: tf_efficientnet_lite0, image_size: 32}"]


def _first(recipe: Recipe) -> list[str]:
    """A label-free stage before the teacher is fitted, made short."""
    if recipe.teacher.predistil is None:
        return []
    train = "{epochs: 1, batch_size: 16, lr: 1.0e-3, select_by: last}"
    first = "teacher.predistil"
    return [f"{first}.model.image_size=32", f"{first}.train={train}", f"{first}.least_steps=0"]


def _student(recipe: Recipe) -> list[str]:
    if recipe.student.decoder:
        return ["student.image_size=64", "student.decoder_width=16", "method.fusion_width=8"]
    if recipe.student.shrinkage:
        return ["student.image_size=32"]
    more = ", distilled: true" if recipe.student.distilled else ""
    for key in ("relative", "local"):
        value = getattr(recipe.student, key)
        more += f", {key}: {value}" if value else ""
    return [f"student={{{STUDENT}{more}}}"]


def _read(recipe: Recipe) -> frozenset[str]:
    """What the recipe reads of its teacher, before labels and after."""
    first = recipe.predistil.method.needs if recipe.predistil else frozenset()
    return recipe.lesson.needs | first

"""What masks cannot do, or cannot do without, is refused before anything is trained."""

from __future__ import annotations

from medistill.core.errors import RecipeError
from medistill.data.views import ViewPolicy
from medistill.recipe import Recipe

# Whether something is wrong, the key, what is wrong, the cure.
Fault = tuple[bool, str, str, str]


def check_masks(recipe: Recipe, *, masks: bool) -> None:
    """Refuse what masks cannot follow, and networks that make none.

    Args:
        recipe: every value of the run.
        masks: whether the images have masks.

    Raises:
        RecipeError: the first fault, with its cure.
    """
    for broken, key, what, cure in (
        *_networks(recipe, masks),
        *_choice(recipe, masks),
        *(_pictures(recipe) if masks else ()),
        *_windows(recipe),
    ):
        if broken:
            raise RecipeError(where=key, what=what, cure=cure)


def _choice(recipe: Recipe, masks: bool) -> list[Fault]:
    fit = recipe.teacher.fit
    chosen = {recipe.train.select_by, fit.select_by if fit else recipe.train.select_by}
    score = "dice" if masks else "auroc"
    return [
        (
            not chosen <= {score, "loss"},
            "train.select_by, teacher.fit.select_by",
            f"{' and '.join(sorted(chosen))} cannot choose between networks for these images",
            f"Set both to {score} or loss.",
        )
    ]


def _networks(recipe: Recipe, masks: bool) -> list[Fault]:
    decoders = {recipe.student.decoder, recipe.teacher.model.decoder}
    return [
        (
            masks and None in decoders,
            "student.decoder, teacher.model.decoder",
            "a network without a decoder makes no masks",
            "Set both to mlp, with pyramids such as pvt_v2_b0.",
        ),
        (
            not masks and decoders != {None},
            "student.decoder, teacher.model.decoder",
            "these images have labels and no masks",
            "Leave decoder out, or give images with masks.",
        ),
        (
            masks and recipe.teacher.probe is not None,
            "teacher.probe",
            "a probe learns labels of images, not masks",
            "Set teacher.probe=null and give teacher.fit.",
        ),
    ]


def _windows(recipe: Recipe) -> list[Fault]:
    """Views must show what a window shows: as much of the image, as finely."""
    faults: list[Fault] = []
    for key, spec in (("student", recipe.student), ("teacher.model", recipe.teacher.model)):
        if spec.canvas is None or spec.image_size is None:
            continue
        share, stored = (spec.image_size / spec.canvas) ** 2, recipe.data.stored_size
        low, high = recipe.views.scale
        faults += [
            (
                stored < spec.canvas,
                "data.stored_size",
                f"images of {stored} pixels hold nothing that a canvas of {spec.canvas} would show",
                f"Set data.stored_size={spec.canvas}, or {key}.canvas={stored} or less.",
            ),
            (
                not low <= share <= high,
                "views.scale",
                f"views show {low:g} to {high:g} of an image, and a window of {key} shows "
                f"{share:.2g}, so it would see other magnifications than it was trained on",
                f"Set views.scale=[{0.7 * share:.2g},{min(1.0, 1.5 * share):.2g}].",
            ),
        ]
    return faults


def _pictures(recipe: Recipe) -> list[Fault]:
    fit = recipe.teacher.fit
    policies: list[ViewPolicy] = [recipe.views, recipe.teacher.views or recipe.views]
    return [
        (
            recipe.train.mixes or (fit is not None and fit.mixes),
            "train.mixup",
            "masks cannot be mixed",
            "Set mixup and cutmix to 0.",
        ),
        (
            any(policy.rand_augment for policy in policies),
            "views.rand_augment",
            "RandAugment moves pictures, and masks would not follow",
            "Set it to null; rotation, shear and tones have keys of their own.",
        ),
        (
            recipe.views.fit != "stretch",
            "views.fit",
            f"masks are brought back to the image's own size, which '{recipe.views.fit}' forgets",
            "Set views.fit=stretch.",
        ),
    ]

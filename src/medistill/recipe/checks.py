"""Combinations of values that are fine alone and impossible together."""

from __future__ import annotations

import dataclasses

from medistill.core.errors import RecipeError
from medistill.methods.affinity import Affinity
from medistill.methods.embedding import Embedding
from medistill.recipe.blocks import Recipe
from medistill.recipe.ranges import range_faults


def check_combination(recipe: Recipe, where: str) -> None:
    """Refuse values that are fine alone and impossible together.

    Raises:
        RecipeError: the first such combination, with its cure.
    """
    for broken, key, what, cure in _impossible(recipe):
        if broken:
            raise RecipeError(where=f"{where}: {key}", what=what, cure=cure)


Fault = tuple[bool, str, str, str]
_LABEL_FREE = (Affinity, Embedding)


def _impossible(recipe: Recipe) -> list[Fault]:
    return [
        *range_faults(recipe),
        *_control(recipe),
        *_mixing(recipe),
        *_teacher(recipe),
        *_selection(recipe),
        *_predistil(recipe),
        *_counts(recipe),
        *_decide(recipe),
    ]


def _mixing(recipe: Recipe) -> list[Fault]:
    return [
        (
            recipe.train.mixes and recipe.targets.mode == "cached",
            "train.mixup",
            "mixed images have no cached targets",
            "Set targets.mode=live, or mixup and cutmix to 0.",
        ),
        (
            recipe.train.mixes and recipe.teacher.cross_fit,
            "train.mixup",
            "a cross-fitted teacher has no member that never saw both mixed images",
            "Set teacher.cross_fit=false, or mixup and cutmix to 0.",
        ),
    ]


def _teacher(recipe: Recipe) -> list[Fault]:
    teacher = recipe.teacher
    return [
        (
            teacher.cross_fit and teacher.members < 2,
            "teacher.cross_fit",
            f"cross-fitting needs at least 2 members, not {teacher.members}",
            "Set teacher.members=3.",
        ),
        (
            teacher.fit is not None and teacher.probe is not None,
            "teacher.probe",
            "a teacher is fitted whole or as a probe, not both",
            "Set teacher.fit=null, or teacher.probe=null.",
        ),
        (
            teacher.probe is not None and teacher.weights is None and teacher.predistil is None,
            "teacher.probe",
            "one linear layer on random weights learns little",
            "Set teacher.weights=published or to a file, or use teacher.fit.",
        ),
        (
            teacher.predistil is not None and teacher.weights not in (None, "published"),
            "teacher.weights",
            "a teacher that is first distilled starts at random, and this file would not be read",
            "Set teacher.predistil=null, or teacher.weights=null.",
        ),
        (
            teacher.cross_fit and not teacher.fitted,
            "teacher.cross_fit",
            "a teacher that is not fitted here cannot be cross-fitted",
            "Add teacher.fit, or set teacher.cross_fit=false.",
        ),
        (
            not teacher.fitted and teacher.weights in (None, "published"),
            "teacher.fit",
            "a teacher that is not fitted here needs a weights file with a head for these classes",
            "Set teacher.weights=FILE, or add teacher.fit.",
        ),
    ]


def _selection(recipe: Recipe) -> list[Fault]:
    teacher, train = recipe.teacher, recipe.train
    return [
        (
            "last" in {train.select_by, teacher.fit.select_by if teacher.fit else None},
            "train.select_by",
            "'last' is for training without labels",
            "Set it to auroc or loss.",
        ),
        (
            train.patience is not None,
            "train.patience",
            "it would end the student before its control, which takes as many steps",
            "Remove it, or set teacher.fit.patience.",
        ),
    ]


def _predistil(recipe: Recipe) -> list[Fault]:
    """What holds for both label-free stages, the student's and the teacher's own."""
    blocks = {"predistil": recipe.predistil, "teacher.predistil": recipe.teacher.predistil}
    return [
        fault
        for key, block in blocks.items()
        if block is not None
        for fault in (
            (
                block.train.select_by != "last",
                f"{key}.train.select_by",
                "without labels there is nothing to choose a checkpoint by",
                "Set it to last.",
            ),
            (
                block.train.mixes and recipe.targets.mode == "cached",
                f"{key}.train.mixup",
                "mixed images have no cached targets",
                "Set targets.mode=live, or mixup and cutmix to 0.",
            ),
            (
                block.train.balance > 0,
                f"{key}.train.balance",
                "without labels there are no classes to balance",
                "Set it to 0.",
            ),
            (
                not isinstance(block.method, _LABEL_FREE),
                f"{key}.method",
                "it learns from labels, or asks no teacher",
                "Choose a label-free method: affinity or embedding.",
            ),
        )
    ]


def _counts(recipe: Recipe) -> list[Fault]:
    fold, folds = recipe.data.fold, recipe.data.folds
    return [
        (folds < 1, "data.folds", f"{folds} folds are impossible", "Set data.folds=5."),
        (
            fold is not None and not 0 <= fold < folds,
            "data.fold",
            f"fold {fold} does not exist among {folds} folds",
            f"Choose 0 to {folds - 1}.",
        ),
        *_shares(recipe),
        (recipe.seeds < 1, "seeds", f"{recipe.seeds} seeds are impossible", "Set seeds=1."),
    ]


def _shares(recipe: Recipe) -> list[Fault]:
    folds, shares = recipe.data.folds, recipe.data.shares
    given = {"select": shares.select, "calibrate": shares.calibrate, "evaluate": shares.evaluate}
    wrong = next((key for key, value in given.items() if not 0 < value < 1), "evaluate")
    judged = shares.evaluate if folds == 1 else 1 / max(1, folds)
    left = 1 - shares.select - shares.calibrate - judged
    return [
        (
            not 0 < given[wrong] < 1,
            f"data.shares.{wrong}",
            f"{given[wrong]!r} is not between 0 and 1",
            "Give for example select=0.15, calibrate=0.15 and evaluate=0.2.",
        ),
        (
            left <= 0,
            "data.shares",
            f"select, calibrate and evaluate take {1 - left:.2f} of the images, so that none is "
            "left to fit",
            "Give smaller shares, or more folds." if folds > 1 else "Give smaller shares.",
        ),
    ]


def _control(recipe: Recipe) -> list[Fault]:
    """What the control's own values do to the training that it shares with the student."""
    own = {
        key: each for key, each in dataclasses.asdict(recipe.control).items() if each is not None
    }
    try:
        dataclasses.replace(recipe.train, **own)
    except RecipeError as error:
        name = error.where.rpartition(".")[2]
        return [(True, f"control.{name if name in own else 'lr'}", error.what, error.cure)]
    return []


def _decide(recipe: Recipe) -> list[Fault]:
    block = recipe.decide
    shares = {"coverage": block.coverage, "false_alarms": block.false_alarms}
    wrong = next((key for key, value in shares.items() if not 0 < value < 1), "coverage")
    highest = float("inf") if block.rule == "cost" else 1.0
    needs = block.rule not in (None, "youden")
    wished = block.wished is None
    if needs:
        wished = block.wished is not None and 0 < block.wished < highest
    return [
        (
            any(not 0 < value < 1 for value in shares.values()),
            f"decide.{wrong}",
            f"{shares[wrong]!r} is not between 0 and 1",
            "Set coverage=0.9 and false_alarms=0.05.",
        ),
        (
            not wished,
            "decide.wished",
            f"{block.wished!r} does not go with the rule '{block.rule}'",
            f"Give a value above 0 and below {highest:g}." if needs else "Leave it null.",
        ),
    ]

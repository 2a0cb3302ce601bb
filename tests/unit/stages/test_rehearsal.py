"""What is refused, or said, before anything is trained."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from medistill.core.errors import RecipeError
from medistill.core.types import Task
from medistill.models.spec import ModelSpec
from medistill.recipe import DecideBlock, load_recipe
from medistill.stages.context import Context, SilentReporter
from medistill.stages.data import prepare_data
from medistill.stages.rehearsal import Given, rehearse, rehearse_given
from medistill.stages.run import open_run


class Kept(SilentReporter):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def changed(run: Path, **changes: int) -> tuple[Context, Kept]:
    """The finished run with another student."""
    context, kept = open_run(run), Kept()
    student = dataclasses.replace(context.recipe.student, **changes)
    recipe = dataclasses.replace(context.recipe, student=student)
    return Context(recipe, context.run, kept), kept


def test_a_student_larger_than_its_teacher_is_said_before_it_is_trained(finished: Path) -> None:
    context, kept = changed(finished, width=64)
    rehearse(context, prepare_data(context))
    (caution,) = [text for text in kept.said if text.startswith("Caution: the student has")]
    assert "not fewer than its teacher's" in caution


def test_a_smaller_student_is_said_nothing_of(finished: Path) -> None:
    context, kept = changed(finished)
    rehearse(context, prepare_data(context))
    assert kept.said == []


def test_a_fault_of_a_network_names_its_block_of_the_recipe(finished: Path) -> None:
    context, _ = changed(finished, heads=3)
    with pytest.raises(RecipeError, match=r"^student\.width: 16 is not divisible by heads 3"):
        rehearse(context, prepare_data(context))
    teacher = dataclasses.replace(context.recipe.teacher, model=ModelSpec(name="resnet_vier"))
    recipe = dataclasses.replace(open_run(finished).recipe, teacher=teacher)
    context = dataclasses.replace(context, recipe=recipe)
    with pytest.raises(RecipeError, match=r"^teacher\.model\.name: neither medistill nor timm"):
        rehearse(context, prepare_data(context))


@pytest.mark.parametrize(
    ("decide", "words"),
    [
        (
            {"rule": "youden", "positive": "nosuch"},
            r"decide\.positive: no class is called",
        ),
        ({"positive": "nosuch"}, r"decide\.positive: no class is called"),
        ({"strange": ("nowhere",)}, r"decide\.strange: there is no nowhere"),
    ],
)
def test_what_is_decided_at_the_end_is_looked_at_in_the_beginning(
    finished: Path, decide: dict[str, Any], words: str
) -> None:
    context = open_run(finished)
    recipe = dataclasses.replace(context.recipe, decide=DecideBlock(**decide))
    with pytest.raises(RecipeError, match=words):
        rehearse(dataclasses.replace(context, recipe=recipe), prepare_data(context))


@pytest.mark.parametrize(
    ("recipe", "overrides", "words"),
    [
        ("deit-small", ("method.kind=hard", "method.per_class=true"), r"method\.per_class: .*deci"),
        ("deit-small", ("method.kind=hard", "method.standardise=true"), r"standardise: .*decision"),
        ("deit-cxr-small", ("method.kind=hard", "method.standardise=true"), "standardise: .*decis"),
        ("vitkd-small", ("method.normalised=false", "method.standardise=true"), "without NKD's"),
        ("locality-small", ("method.soft_weight=0", "method.standardise=true"), "without Hinton's"),
        (
            "locality-small",
            ("method.temperature=4",),
            r"temperature: .*Hinton's term\. Set .*=2\.0",
        ),
        (
            "deit-small",
            ("method.temperature=4",),
            r"temperature: .*alone\. Set .*=1\.0, or .*=soft",
        ),
        ("deit-cxr-small", ("method.temperature=4",), r"temperature: .*alone\. Set .*=1\.0"),
        ("drpl-vit-small", ("method.kind=hard",), r"temperature: .*alone\. Set .*=1\.0"),
        (
            "vkd-small",
            ("method.score_weight=0", "method.temperature=4"),
            "temperature: .*of scores",
        ),
        (
            "vkd-small",
            ("method.score_weight=0", "method.standardise=true"),
            "standardise: .*scores",
        ),
    ],
)
def test_an_option_that_nothing_reads_is_refused_before_training_and_only_then(
    recipe: str, overrides: tuple[str, ...], words: str
) -> None:
    chosen = load_recipe(recipe, overrides)
    given = Given(task="single-label", classes=3, rows=64)
    with pytest.raises(RecipeError, match=f"{words}.*"):
        rehearse_given(chosen, given, lambda said: None)


@pytest.mark.parametrize(
    ("recipe", "task", "without"),
    [("rms-net-small", "multi-label", "soft"), ("rskd-small", "segmentation", "pixel")],
)
def test_a_temperature_of_a_term_without_weight_is_refused(
    recipe: str, task: Task, without: str
) -> None:
    given = Given(task=task, classes=3, rows=64)
    weightless = f"method.{without}_weight=0"
    rehearse_given(load_recipe(recipe, (weightless,)), given, lambda said: None)
    chosen = load_recipe(recipe, (weightless, "method.temperature=5"))
    with pytest.raises(RecipeError, match=rf"temperature: .* or give method\.{without}_weight\."):
        rehearse_given(chosen, given, lambda said: None)


@pytest.mark.parametrize("task", ["multi-label", "segmentation"])
def test_a_positive_class_is_refused_where_no_one_class_is_it(finished: Path, task: Task) -> None:
    context = open_run(finished)
    recipe = dataclasses.replace(context.recipe, decide=DecideBlock(positive="lesion"))
    prepared = prepare_data(context)
    images = dataclasses.replace(prepared.images, task=task)
    with pytest.raises(RecipeError, match=f"no one class is the positive one of a {task} task"):
        rehearse(
            dataclasses.replace(context, recipe=recipe),
            dataclasses.replace(prepared, images=images),
        )

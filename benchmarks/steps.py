"""Processor seconds of a training step of a recipe, part by part.

    python -m benchmarks.steps rskd-small rms-net-small [--classes 3] [--profile]

Networks, method, batch size and precision are the recipe's; images are noise, and views are not
painted. The time is that of all threads of this process, so a busy machine moves it little.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn

from medistill.core.allocator import keep_freed_memory
from medistill.core.ending import run_program
from medistill.core.types import Task
from medistill.data.batch import Batch
from medistill.methods.control import labels_alone
from medistill.methods.method import Method
from medistill.models.build import ModelSpec, build_model
from medistill.models.network import Network, feature_shapes
from medistill.recipe import Recipe, load_recipe
from medistill.stages.targets import teacher_precision
from medistill.teacher.frozen import FrozenTeacher
from medistill.train.optimiser import clip_gradients, make_optimiser
from medistill.train.precision import resolve_precision
from medistill.train.settings import TrainSettings
from medistill.train.trainee import Trainee

PARTS = ("forwards", "terms", "backwards", "optimiser")


@dataclass(frozen=True)
class Pair:
    """A network that learns, by which method, from what."""

    network: Network
    method: Method
    settings: TrainSettings
    batch: Batch
    targets: dict[str, Tensor]


def noise(recipe: Recipe, size: int, teacher: int, count: int, task: Task, classes: int) -> Batch:
    """A batch of gray noise with labels, and masks where the task has them."""
    generator = torch.Generator().manual_seed(0)
    channels = 3 if recipe.data.channels == "rgb" else 1
    images = torch.rand(count, channels, size, size, generator=generator)
    larger = torch.rand(count, channels, teacher, teacher, generator=generator)
    number = torch.randint(classes, (count,), generator=generator)
    labels = nn.functional.one_hot(number, classes).float()
    masks = torch.randint(classes, (count, size, size), generator=generator)
    return Batch(
        index=torch.arange(count),
        view=torch.zeros(count, dtype=torch.long),
        hashes=[str(index) for index in range(count)],
        images=images,
        teacher_images=larger,
        labels=labels,
        masks=masks if task == "segmentation" else None,
    )


def given(batch: Batch) -> Tensor:
    """What the teacher is shown of a batch of noise."""
    return batch.images if batch.teacher_images is None else batch.teacher_images


def network(recipe: Recipe, spec: ModelSpec, classes: int) -> Network:
    """A network with random weights, as a run builds it."""
    return build_model(spec, classes=classes, channels=recipe.data.channels)


def task_of(method: Method) -> Task:
    """The task for which a step is measured."""
    order: tuple[Task, ...] = ("single-label", "multi-label", "segmentation")
    return next(task for task in order if task in method.tasks)


def step_parts(pair: Pair, repeats: int, profile: bool) -> dict[str, float]:
    """Medians of milliseconds of each part of a step; two untimed steps first."""
    want = pair.method.wants(pair.network)
    shapes = {name: tuple(value.shape[1:]) for name, value in pair.targets.items()}
    adapters = pair.method.adapters(feature_shapes(pair.network, want), shapes)
    trainee = Trainee(pair.network, adapters, pair.method).train()
    optimiser = make_optimiser(trainee, pair.settings, torch.device("cpu"))
    bf16 = resolve_precision(pair.settings.precision, torch.device("cpu")) == "bf16-mixed"

    def one() -> list[float]:
        marks = [time.process_time()]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            outputs = pair.network(pair.batch.images, want)
            marks.append(time.process_time())
            terms = pair.method.terms(outputs, pair.targets, pair.batch, adapters)
        marks.append(time.process_time())
        torch.autograd.backward(functools.reduce(torch.add, terms.values()))
        marks.append(time.process_time())
        clip_gradients(trainee, pair.settings.clip_norm)
        optimiser.step()
        optimiser.zero_grad()
        marks.append(time.process_time())
        return marks

    rounds = [one() for _ in range(repeats + 2)][2:]
    if profile:
        show_profile(one)
    spans = [[end - start for start, end in itertools.pairwise(each)] for each in rounds]
    return {
        part: 1e3 * median(values)
        for part, values in zip(PARTS, zip(*spans, strict=True), strict=True)
    }


def show_profile(work: Callable[[], object]) -> None:
    """Print where the time of one step goes, operator by operator."""
    with torch.profiler.profile(record_shapes=True) as found:
        work()
    table = found.key_averages(group_by_input_shape=True)
    print(table.table(sort_by="self_cpu_time_total", row_limit=25, max_shapes_column_width=70))


def asking(
    teacher: FrozenTeacher, pair: Pair, recipe: Recipe, repeats: int, profile: bool
) -> float:
    """Median of milliseconds in which a live teacher answers a batch."""
    images, hashes = given(pair.batch), pair.batch.hashes

    def one() -> float:
        start = time.process_time()
        precision = teacher_precision(recipe, teacher)
        teacher.targets(images, recipe.lesson.needs, hashes, precision=precision)
        return time.process_time() - start

    times = [one() for _ in range(repeats + 1)][1:]
    if profile:
        show_profile(one)
    return 1e3 * median(times)


def measured(
    recipe: Recipe, classes: int, repeats: int, profile: str | None
) -> dict[str, dict[str, float]]:
    """Parts of a step of student, control and teacher."""
    task = task_of(recipe.method)
    large, small = (
        network(recipe, spec, classes) for spec in (recipe.teacher.model, recipe.student)
    )
    sizes = small.preprocessing.size, large.preprocessing.size
    found: dict[str, dict[str, float]] = {}
    labels = labels_alone(recipe.method, task)
    batch = noise(recipe, *sizes, recipe.train.batch_size, task, classes)
    teacher = FrozenTeacher([large], task=task)
    targets = teacher.targets(given(batch), recipe.lesson.needs, batch.hashes)
    pair = Pair(small, recipe.lesson, recipe.train, batch, targets)
    found["student"] = step_parts(pair, repeats, profile == "student")
    asked = asking(teacher, pair, recipe, repeats, profile == "asking")
    found["student"]["asking"] = asked
    control = Pair(small, labels, recipe.train, batch, {})
    found["control"] = step_parts(control, repeats, profile == "control")
    fit = recipe.teacher.fit
    if fit is not None:
        fresh = network(recipe, recipe.teacher.model, classes)
        seen = noise(recipe, sizes[1], sizes[1], fit.batch_size, task, classes)
        found["teacher"] = step_parts(
            Pair(fresh, labels, fit, seen, {}), repeats, profile == "teacher"
        )
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="+")
    parser.add_argument("--classes", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--profile", choices=("student", "control", "teacher", "asking"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    columns = (*PARTS, "asking")
    print("| recipe | who | " + " | ".join(columns) + " | together, ms |\n|---|---|" + "---|" * 6)
    for name in options.recipes:
        recipe = load_recipe(name, ("data.path=phantom",))
        for who, parts in measured(
            recipe, options.classes, options.repeats, options.profile
        ).items():
            cells = [f"{parts[part]:.0f}" if part in parts else "" for part in columns]
            print(
                f"| {name} | {who} | {' | '.join(cells)} | {sum(parts.values()):.0f} |", flush=True
            )


if __name__ == "__main__":
    run_program(main, "steps")

"""Size and gradient of every term of a recipe's loss at the first step, to set weights by.

    python -m benchmarks.terms rms-net-small --data PATH [key=value ...]

The teacher has the recipe's starting weights and is not fitted, which changes its scores more than
its maps. The gradient is that of the student's backbone.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch

from medistill.core.ending import run_program
from medistill.core.run_folder import RunFolder
from medistill.data.loader import ViewStream
from medistill.models.network import Network, feature_shapes
from medistill.models.weights import load_published, load_weights
from medistill.recipe import Recipe, load_recipe
from medistill.stages.context import Context, SilentReporter
from medistill.stages.data import Prepared, prepare_data
from medistill.stages.networks import build
from medistill.stages.predistil import start_student
from medistill.stages.rehearsal import rehearse
from medistill.teacher.frozen import FrozenTeacher
from medistill.teacher.live import LiveTargets


def term_gradients(recipe: Recipe, folder: Path) -> dict[str, tuple[float, float]]:
    """Value and gradient norm of each term, for the first batch of the first fold."""
    context = Context(recipe, RunFolder(folder), SilentReporter())
    prepared = prepare_data(context)
    rehearse(context, prepared)
    torch.manual_seed(recipe.train.seed)
    student = start_student(context, prepared).train()
    teacher = FrozenTeacher([_teacher(context, prepared)], task=prepared.images.task)
    batch = _stream(context, prepared, student, teacher).batch(0)
    targets = LiveTargets(teacher, recipe.lesson.needs).get(batch)
    want = recipe.lesson.wants(student)
    shapes = {name: tuple(value.shape[1:]) for name, value in targets.items()}
    adapters = recipe.lesson.adapters(feature_shapes(student, want), shapes)
    terms = recipe.lesson.terms(student(batch.images, want), targets, batch, adapters)
    parameters = list(student.parameters())
    found = {}
    for name, term in terms.items():
        gradients = torch.autograd.grad(term, parameters, retain_graph=True, allow_unused=True)
        norms = [g.norm() for g in gradients if g is not None]
        found[name] = (term.item(), torch.stack(norms).norm().item() if norms else 0.0)
    return found


def _teacher(context: Context, prepared: Prepared) -> Network:
    block = context.recipe.teacher
    network = build(context, prepared, block.model)
    if block.weights == "published":
        load_published(network.backbone, block.model.name, ignore_head=True)
    elif block.weights is not None:
        load_weights(network.backbone, Path(block.weights), ignore_head=True)
    return network


def _stream(
    context: Context, prepared: Prepared, student: Network, teacher: FrozenTeacher
) -> ViewStream:
    recipe = context.recipe
    return ViewStream(
        prepared.store,
        torch.from_numpy(prepared.labels),
        prepared.parts[context.folds()[0]].fit,
        recipe.views,
        batch_size=recipe.train.batch_size,
        seed=recipe.train.seed,
        student_size=student.preprocessing.size,
        teacher_size=teacher.size,
        masks=prepared.masks,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("--data", required=True)
    parser.add_argument("overrides", nargs="*")
    options = parser.parse_intermixed_args()
    recipe = load_recipe(options.recipe, (f"data.path={options.data}", *options.overrides))
    with tempfile.TemporaryDirectory() as folder:
        found = term_gradients(recipe, Path(folder))
    print(f"{'term':16}{'value':>12}{'gradient':>12}")
    for name, (value, norm) in found.items():
        print(f"{name:16}{value:12.4f}{norm:12.4f}")


if __name__ == "__main__":
    run_program(main, "terms")

"""How many of a teacher's most important tokens stay so when its trunk computes in bfloat16.

    python -m benchmarks.token_ranks rskd-small --data PATH [--steps 100] [key=value ...]

RSKD teaches which tokens a teacher attends to most. The teacher of a recipe, with random weights or
after a few steps on the masks, is asked about un-augmented images in both precisions; of each level
that the recipe ranks, the share of its most important tokens that both name is printed.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from medistill.core.ending import run_program
from medistill.core.run_folder import RunFolder
from medistill.data.loader import ViewStream, plain_batches
from medistill.methods.rskd import RSKD
from medistill.methods.supervised_masks import SupervisedMasks
from medistill.models.network import Network
from medistill.recipe import Recipe, load_recipe
from medistill.stages.context import Context, SilentReporter
from medistill.stages.data import Prepared, prepare_data
from medistill.stages.networks import build
from medistill.teacher.frozen import FrozenTeacher


def shortly_fitted(context: Context, prepared: Prepared, steps: int) -> Network:
    """The recipe's teacher from random weights, after ``steps`` steps on the masks."""
    fit = context.recipe.teacher.fit
    assert fit is not None
    torch.manual_seed(fit.seed)
    network = build(context, prepared, context.recipe.teacher.model).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=fit.lr, weight_decay=fit.weight_decay)
    stream = ViewStream(
        prepared.store,
        torch.from_numpy(prepared.labels),
        prepared.parts[context.folds()[0]].fit,
        context.recipe.views,
        batch_size=fit.batch_size,
        seed=fit.seed,
        student_size=network.view_size,
        masks=prepared.masks,
    )
    for batch in stream.batches(0, steps):
        terms = SupervisedMasks().terms(network(batch.images), {}, batch, nn.ModuleDict())
        optimiser.zero_grad()
        torch.autograd.backward(torch.stack(list(terms.values())).sum())
        optimiser.step()
    return network


def overlap(first: Tensor, second: Tensor, share: float) -> float:
    """Mean share of the top tokens of (B, 1, h, w) importances that both rank among theirs."""
    maps = [each.flatten(1) for each in (first, second)]
    top = math.ceil(share * maps[0].shape[1])
    chosen = [torch.zeros_like(m).scatter(1, m.topk(top, dim=1).indices, 1.0) for m in maps]
    return float((chosen[0] * chosen[1]).sum() / chosen[0].sum())


def compared(recipe: Recipe, folder: Path, *, steps: int, images: int) -> dict[str, float]:
    """Overlap by level, and the number of tokens in the key."""
    method = recipe.method
    assert isinstance(method, RSKD)
    context = Context(recipe, RunFolder(folder), SilentReporter())
    prepared = prepare_data(context)
    teacher = FrozenTeacher([shortly_fitted(context, prepared, steps)], task=prepared.images.task)
    names = frozenset(f"importance{level}" for level in method.rank_levels)
    rows = prepared.parts[context.folds()[0]].select[:images]
    said: dict[str, list[Tensor]] = {}
    labels, fit = torch.from_numpy(prepared.labels), recipe.views.fit
    for batch in plain_batches(
        prepared.store, labels, rows, size=teacher.size, batch_size=16, fit=fit
    ):
        for precision in ("float32", "bfloat16"):
            found = teacher.targets(batch.images, names, batch.hashes, precision=precision)
            for name, value in found.items():
                said.setdefault(f"{name} {precision}", []).append(value)
    whole = {name: torch.cat(values) for name, values in said.items()}
    return {
        f"{name}, {whole[f'{name} float32'][0].numel()} tokens": overlap(
            whole[f"{name} float32"], whole[f"{name} bfloat16"], method.top_share
        )
        for name in sorted(names)
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("--data", required=True)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("overrides", nargs="*")
    options = parser.parse_intermixed_args()
    recipe = load_recipe(options.recipe, (f"data.path={options.data}", *options.overrides))
    share = recipe.method.top_share if isinstance(recipe.method, RSKD) else 0.0
    with tempfile.TemporaryDirectory() as folder:
        found = compared(recipe, Path(folder), steps=options.steps, images=options.images)
    for name, value in found.items():
        print(f"{name}: {value:.3f} of the top {share:g} in both")


if __name__ == "__main__":
    run_program(main, "token_ranks")

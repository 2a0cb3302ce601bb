"""What a step, a forward pass and a view cost on this machine, measured on the real networks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch.autograd.graph import saved_tensors_hooks

from medistill.data.views import ViewPolicy, draw_view, render_view
from medistill.models.build import build_model
from medistill.models.network import Network, feature_shapes
from medistill.models.profile import count_parameters
from medistill.models.spec import ModelSpec
from medistill.recipe import Recipe
from medistill.train.device import run_device
from medistill.train.optimiser import make_optimiser
from medistill.train.precision import resolve_precision

CLASSES = 2
#: Weights, gradients, AdamW's two moments and the moving average, 4 bytes each.
TRAINED_BYTES = 20
# A forward pass alone keeps one layer's maps at a time, a backward pass all of them.
_LAYERS = 8
_VIEWS = 5
_CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one network costs here.

    Attributes:
        step: seconds of forward, backward and update of one image; 0 if it is only asked.
        forward: seconds of the forward pass of one image.
        view: seconds to render one view for it.
        parameters: how many.
        saved: bytes that the backward pass of one image keeps.
        numbers: values of one view that a method asks of it.
    """

    step: float
    forward: float
    view: float
    parameters: int
    saved: float
    numbers: int

    def training_bytes(self, batch: int) -> float:
        """Memory of training it with so many images a step."""
        return TRAINED_BYTES * self.parameters + batch * self.saved

    def answering_bytes(self, batch: int, members: int = 1) -> float:
        """Memory of asking it, or several members of its kind, about so many images."""
        return 4 * members * self.parameters + batch * self.saved / _LAYERS


def measure(
    spec: ModelSpec,
    recipe: Recipe,
    batch: int,
    needs: frozenset[str] = frozenset(),
    *,
    trained: bool = True,
) -> Cost:
    """Time and memory of a network on random images; the faster of two steps counts.

    One that is only asked is not trained here either: a step of a large teacher may need more
    memory than the whole run.
    """
    device = run_device()
    network = build_model(spec, classes=CLASSES, channels=recipe.data.channels).to(device)
    shapes = feature_shapes(network, needs & network.feature_names)
    optimiser = make_optimiser(network, recipe.train, device)
    images = torch.rand((batch, *network.input_shape), device=device)
    # Two: some networks cannot normalise over one.
    count, side = batch if trained else 2, network.view_size
    learnt = torch.rand((count, network.input_shape[0], side, side), device=device)
    saved = _step(network, optimiser, learnt) / len(learnt)
    steps = [
        _seconds(lambda: _step(network, optimiser, learnt), device) for _ in range(2 * trained)
    ]
    network.eval()
    with torch.inference_mode():
        forward = _seconds(lambda: network(images), device)
    return Cost(
        step=min(steps) / batch if trained else 0.0,
        forward=forward / batch,
        view=_view_seconds(recipe, recipe.views, side),
        parameters=count_parameters(network),
        saved=saved,
        numbers=sum(math.prod(shapes[name]) for name in needs if name in shapes),
    )


def _step(network: Network, optimiser: torch.optim.Optimizer, images: torch.Tensor) -> int:
    """One step as it is trained; the bytes that its backward pass needed."""
    sizes: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    network.train()
    bf16 = resolve_precision("auto", images.device) == "bf16-mixed"
    precision = torch.autocast(images.device.type, dtype=torch.bfloat16, enabled=bf16)
    with saved_tensors_hooks(note, lambda tensor: tensor):
        with precision:
            loss = network(images).logits.float().square().mean()
        loss.backward()
    optimiser.step()
    optimiser.zero_grad()
    return sum(sizes.values())


def _view_seconds(recipe: Recipe, policy: ViewPolicy, size: int) -> float:
    """Of the middle one of a few views of a random image."""
    side = recipe.data.stored_size
    shape = (side, side, 3) if recipe.data.channels == "rgb" else (side, side)
    stored = np.random.default_rng(0).integers(0, 65535, shape, dtype=np.uint16)

    def render(number: int) -> None:
        view = draw_view(policy, content_hash="0" * 64, view=number)
        render_view(stored, view, size=size, fit=policy.fit)

    taken = [_seconds(partial(render, number), _CPU) for number in range(_VIEWS)]
    return sorted(taken)[_VIEWS // 2]


def _seconds(call: Callable[[], object], device: torch.device) -> float:
    """Until the device has done it: it may work on long after it was told to."""
    _wait(device)
    started = time.perf_counter()
    call()
    _wait(device)
    return time.perf_counter() - started


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)

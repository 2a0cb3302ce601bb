"""Networks are timed where the run will compute, once that has finished."""

from __future__ import annotations

import pytest
import torch

from medistill.models.network import Network
from medistill.recipe import load_recipe
from medistill.stages import costs
from tests.elsewhere import elsewhere
from tests.unit.stages.conftest import SMALL


def test_a_network_is_timed_on_the_device_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, seen, waited = load_recipe("demo", SMALL), set(), list[torch.device]()
    forward = Network.forward

    def spied(self: Network, x: torch.Tensor, *more: object) -> object:
        seen.add((x.device, next(self.parameters()).device))
        return forward(self, x, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(Network, "forward", spied)
    monkeypatch.setattr(torch.accelerator, "synchronize", waited.append)
    with elsewhere() as there:
        monkeypatch.setattr(costs, "run_device", lambda: there)
        found = costs.measure(recipe.student, recipe, 4)
    assert seen == {(there, there)}
    # Before and after each of two steps and a forward pass; views are rendered on the processor.
    assert waited == [there] * 6
    assert found.step > 0
    assert found.forward > 0

"""The device of a run is the best one that there is."""

from __future__ import annotations

import pytest
import torch

from medistill.train.device import run_device


@pytest.mark.parametrize(
    ("cuda", "mps", "found"),
    [(True, False, "cuda:0"), (False, True, "mps:0"), (False, False, "cpu")],
)
def test_the_first_gpu_counts_and_then_the_processor(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, found: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert str(run_device()) == found

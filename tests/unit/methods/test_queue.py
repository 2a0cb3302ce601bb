"""The last embeddings are held, the oldest go first."""

from __future__ import annotations

import torch

from medistill.methods.queue import Queue


def rows(*values: float) -> torch.Tensor:
    return torch.tensor(values).float()[:, None].requires_grad_()


def test_it_fills_and_then_forgets_the_oldest() -> None:
    queue = Queue(4, 1)
    assert queue.held().shape == (0, 1)
    queue.add(rows(1, 2, 3))
    assert queue.held().flatten().tolist() == [1, 2, 3]
    queue.add(rows(4, 5))
    assert queue.held().flatten().tolist() == [2, 3, 4, 5]
    queue.add(rows(6, 7, 8, 9, 10))
    assert queue.held().flatten().tolist() == [7, 8, 9, 10]
    assert not queue.held().requires_grad


def test_a_resumed_training_goes_on_with_it() -> None:
    queue, resumed = Queue(3, 1), Queue(3, 1)
    queue.add(rows(1, 2))
    resumed.load_state_dict(queue.state_dict())
    for each in (queue, resumed):
        each.add(rows(3, 4))
    assert torch.equal(queue.held(), resumed.held())

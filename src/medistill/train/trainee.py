"""Network and adapters as one module whose forward pass ends in the terms of the loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from medistill.methods.method import Method
from medistill.models.network import Network, feature_shapes
from medistill.train.lessons import Lesson, Lessons


class Trainee(nn.Module):
    """What the optimiser sees.

    Args:
        network: the student.
        adapters: the method's projections; thrown away after training.
        method: turns outputs and targets into terms.
    """

    def __init__(self, network: Network, adapters: nn.ModuleDict, method: Method) -> None:
        super().__init__()
        self.network, self.adapters = network, adapters
        self._method, self._want = method, method.wants(network)

    def forward(self, lesson: Lesson) -> dict[str, Tensor]:
        """The terms, scalars whose sum is the loss."""
        outputs = self.network(lesson.batch.images, self._want)
        return self._method.terms(outputs, lesson.targets, lesson.batch, self.adapters)


def make_trainee(network: Network, method: Method, lessons: Lessons) -> Trainee:
    """A trainee on the lessons' device, whose adapters fit what both sides say of a batch."""
    student = feature_shapes(network, method.wants(network))
    teacher = _target_shapes(method, lessons)
    return Trainee(network, method.adapters(student, teacher).to(lessons.device), method)


@torch.no_grad()
def _target_shapes(method: Method, lessons: Lessons) -> dict[str, tuple[int, ...]]:
    if lessons.targets is None:
        return {}
    given = lessons.targets.get(lessons.example())
    return {name: tuple(given[name].shape[1:]) for name in sorted(method.needs)}

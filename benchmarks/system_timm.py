"""timm's own distillation, one epoch a turn: LogitDistillationTask, live teacher.

Run by benchmarks.against_peers in timm's own environment.
"""

from __future__ import annotations

from typing import Any

import timm
import torch
from timm.task import LogitDistillationTask
from torch import nn
from torch.utils.data import DataLoader

from benchmarks.peer_data import Flipped
from benchmarks.turns import Turns, workload_from_arguments
from benchmarks.workload import Workload


def task_of(workload: Workload) -> LogitDistillationTask:
    """Teacher and student with random weights, which cost the same as trained ones."""
    size: dict[str, Any] = {"img_size": workload.size, "num_classes": workload.classes}
    task = LogitDistillationTask(
        timm.create_model(workload.student, **size),
        timm.create_model(workload.teacher, **size),
        criterion=nn.CrossEntropyLoss(),
        task_loss_weight=1 - workload.soft_weight,
        distill_loss_weight=workload.soft_weight,
        temperature=workload.temperature,
        verbose=False,
    )
    return task.train()


def main() -> None:
    """Serve epochs."""
    workload, turns = workload_from_arguments(), Turns()
    torch.set_num_threads(workload.threads)
    torch.manual_seed(workload.seed)
    task = task_of(workload)
    parameters = list(task.trainable_module.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=workload.lr, weight_decay=0.05)
    loader = DataLoader(Flipped(workload), workload.batch_size, shuffle=True)
    turns.ready(timm=timm.__version__, torch=torch.__version__, teacher="live")
    while True:
        turns.wait()
        for images, labels in loader:
            with torch.autocast("cpu", torch.bfloat16, enabled=workload.precision == "bfloat16"):
                loss = task(images, labels)["loss"]
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            optimiser.zero_grad()
        turns.done()


if __name__ == "__main__":
    main()

"""torchdistill, one epoch a turn: its DistillationBox with KDLoss, live teacher.

Run by benchmarks.against_peers in torchdistill's own environment. The teacher is put into eval mode
here; torchdistill would leave it in train mode, which costs about the same time.
"""

from __future__ import annotations

from typing import Any

import timm
import torch
import torchdistill
from torchdistill.core.distillation import get_distillation_box

from benchmarks.peer_data import Flipped
from benchmarks.turns import Turns, workload_from_arguments
from benchmarks.workload import Workload


def configuration(workload: Workload) -> dict[str, Any]:
    """A training configuration as torchdistill's YAML files hold one."""
    loader = {
        "dataset_id": "train",
        "sampler": {"class_or_func": torch.utils.data.RandomSampler, "kwargs": {}},
        "kwargs": {"batch_size": workload.batch_size, "num_workers": 0, "drop_last": False},
    }
    loss = {
        "key": "KDLoss",
        "kwargs": {
            "student_module_path": ".",
            "student_module_io": "output",
            "teacher_module_path": ".",
            "teacher_module_io": "output",
            "temperature": workload.temperature,
            "alpha": 1 - workload.soft_weight,
            "reduction": "batchmean",
        },
    }
    forward = {"forward_proc": "forward_batch_only", "sequential": []}
    return {
        "num_epochs": workload.epochs,
        "train_data_loader": loader,
        "teacher": {**forward, "requires_grad": False},
        "student": {**forward, "requires_grad": True, "frozen_modules": []},
        "optimizer": {
            "key": "AdamW",
            "kwargs": {"lr": workload.lr, "weight_decay": 0.05},
            "max_grad_norm": 1.0,
        },
        "criterion": {
            "key": "WeightedSumLoss",
            "kwargs": {"sub_terms": {"kd": {"criterion": loss, "weight": 1.0}}},
        },
    }


def main() -> None:
    """Serve epochs."""
    workload, turns = workload_from_arguments(), Turns()
    torch.set_num_threads(workload.threads)
    torch.manual_seed(workload.seed)
    size: dict[str, Any] = {"img_size": workload.size, "num_classes": workload.classes}
    teacher = timm.create_model(workload.teacher, **size).eval()
    student = timm.create_model(workload.student, **size)
    box = get_distillation_box(
        teacher,
        student,
        {"train": Flipped(workload)},
        configuration(workload),
        torch.device("cpu"),
        None,
        False,
        1,
    )
    version = torchdistill.__version__
    turns.ready(torchdistill=version, torch=torch.__version__, teacher="live")
    for epoch in range(workload.epochs):
        turns.wait()
        box.pre_epoch_process(epoch=epoch)
        box.teacher_model.eval()
        for images, labels, further in box.train_data_loader:
            with torch.autocast("cpu", torch.bfloat16, enabled=workload.precision == "bfloat16"):
                loss = box.forward_process(images, labels, further)
            box.post_forward_process(loss=loss)
        turns.done()
        box.post_epoch_process()
    turns.wait()


if __name__ == "__main__":
    main()

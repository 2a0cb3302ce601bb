"""Our objective and loop against timm's LogitDistillationTask, step by step.

Both sides get the same stored images in the same batches, the same initial weights, the same AdamW,
and a live float32 teacher. timm normalises outside its networks and renormalises for the teacher;
ours normalise inside. If the losses agree step after step, so do the gradients.

    python -m benchmarks.conformity          # DeiT-B to DeiT-Ti at 224 pixels, 20 steps
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from timm.task import LogitDistillationTask
from torch import Tensor, nn

from medistill.core.ending import run_program
from medistill.core.types import Task
from medistill.data.batch import Batch
from medistill.data.loader import ViewStream
from medistill.data.views import ViewPolicy
from medistill.imaging.preprocessing import Preprocessing
from medistill.methods.kdvit import KDViT
from medistill.methods.undefined import Undefined
from medistill.models.network import Network
from medistill.models.outputs import Outputs
from medistill.models.vit import VisionTransformer
from medistill.teacher.frozen import FrozenTeacher
from medistill.teacher.live import LiveTargets
from medistill.train.loop import fit
from medistill.train.settings import TrainSettings


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What both sides minimise, and how."""

    temperature: float = 4.0
    soft_weight: float = 0.5
    lr: float = 5e-4
    batch_size: int = 8
    steps: int = 20


class Noise:
    """Stored images that hold nothing but seeded noise; as good as any for arithmetic."""

    def __init__(self, images: int, size: int) -> None:
        generator = np.random.default_rng(0)
        self._pixels = generator.integers(0, 65536, (images, size, size), dtype=np.uint16)
        self.hashes = [f"{row:064x}" for row in range(images)]

    def __getitem__(self, row: int) -> NDArray[np.uint16]:
        pixels: NDArray[np.uint16] = self._pixels[row]
        return pixels


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """KDViT that notes the loss of every step."""

    needs: ClassVar[frozenset[str]] = KDViT.needs
    tasks: ClassVar[frozenset[Task]] = KDViT.tasks
    undefined: ClassVar[Undefined] = KDViT.undefined
    smallest_batch: ClassVar[int] = 1

    method: KDViT
    losses: list[float] = field(default_factory=list)

    def wants(self, student: Network) -> frozenset[str]:
        """As KDViT."""
        return self.method.wants(student)

    def adapters(self, student_dims: Any, teacher_dims: Any) -> nn.ModuleDict:
        """As KDViT: none."""
        return self.method.adapters(student_dims, teacher_dims)

    def terms(
        self,
        outputs: Outputs,
        targets: Mapping[str, Tensor],
        batch: Batch,
        adapters: nn.ModuleDict,
    ) -> dict[str, Tensor]:
        """As KDViT; their sum is kept."""
        terms = self.method.terms(outputs, targets, batch, adapters)
        self.losses.append(float(torch.stack(list(terms.values())).sum().detach()))
        return terms


def ours(model: nn.Module) -> Network:
    """Our network with the weights and the normalisation of one of timm's ViTs."""
    source: Any = model
    backbone = VisionTransformer(
        image_size=source.patch_embed.img_size[0],
        patch_size=source.patch_embed.patch_size[0],
        width=source.embed_dim,
        depth=len(source.blocks),
        heads=source.blocks[0].attn.num_heads,
        classes=source.num_classes,
    )
    backbone.load_state_dict(source.state_dict(), strict=True)
    mean, std = source.pretrained_cfg["mean"], source.pretrained_cfg["std"]
    return Network(backbone, Preprocessing(size=backbone.image_size, mean=mean, std=std))


def sharpened(teacher: nn.Module, factor: float = 10.0) -> nn.Module:
    """A teacher with an opinion: an untrained one says the same of every class."""
    head: Any = teacher.get_submodule("head")
    with torch.no_grad():
        head.weight.mul_(factor)
    return teacher


def make_stream(student: nn.Module, objective: Objective) -> ViewStream:
    """Augmented batches of stored images, a pure function of the step."""
    source: Any = student
    classes, size = source.num_classes, source.patch_embed.img_size[0]
    images = 3 * objective.batch_size + 1
    labels = np.eye(classes, dtype=np.float32)[np.arange(images) % classes]
    return ViewStream(
        Noise(images, size + 8),
        torch.from_numpy(labels),
        range(images),
        ViewPolicy(count=4),
        batch_size=objective.batch_size,
        seed=0,
        student_size=size,
        teacher_size=size,
    )


def timm_losses(
    student: nn.Module, teacher: nn.Module, batches: Iterator[Batch], objective: Objective
) -> list[float]:
    """Train timm's student by timm's task; the loss of every step."""
    task = LogitDistillationTask(
        student,
        teacher,
        criterion=nn.CrossEntropyLoss(),
        task_loss_weight=1 - objective.soft_weight,
        distill_loss_weight=objective.soft_weight,
        temperature=objective.temperature,
        verbose=False,
    ).train()
    optimiser = torch.optim.AdamW(
        student.parameters(), lr=objective.lr, weight_decay=0.0, fused=True
    )
    mean, std = task.get_buffer("student_mean"), task.get_buffer("student_std")
    losses = []
    for batch in batches:
        images = (batch.images.expand(-1, 3, -1, -1) - mean) / std
        loss = task(images, batch.labels.argmax(dim=1))["loss"]
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))
    return losses


def our_losses(
    student: Network, teacher: Network, stream: ViewStream, objective: Objective
) -> list[float]:
    """Train our student by our loop, its learning rate held still; the loss of every step."""
    method = Recorded(
        method=KDViT(temperature=objective.temperature, soft_weight=objective.soft_weight)
    )
    settings = TrainSettings(
        epochs=1,
        batch_size=objective.batch_size,
        lr=objective.lr,
        min_lr=objective.lr,
        weight_decay=0.0,
        clip_norm=None,
        ema=None,
        select_by="loss",
        precision="32-true",
    )
    with tempfile.TemporaryDirectory() as folder:
        fit(
            student,
            method,
            stream=stream,
            targets=LiveTargets(FrozenTeacher([teacher]), method.needs),
            settings=settings,
            steps_per_epoch=objective.steps,
            folder=Path(folder),
            score=lambda _: {"auroc": 0.5, "loss": 1.0},
        )
    return method.losses


def compare(
    student: nn.Module, teacher: nn.Module, objective: Objective
) -> list[tuple[float, float]]:
    """Losses of every step, timm's and ours, from the same start."""
    stream = make_stream(student, objective)
    mine, my_teacher = ours(student), ours(teacher)
    theirs = timm_losses(
        copy.deepcopy(student), teacher, stream.batches(0, objective.steps), objective
    )
    return list(zip(theirs, our_losses(mine, my_teacher, stream, objective), strict=True))


def main() -> None:
    """Compare two named DeiTs and print every step."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--teacher", default="deit_base_patch16_224")
    parser.add_argument("--student", default="deit_tiny_patch16_224")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--classes", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=8)
    options = parser.parse_args()
    torch.manual_seed(0)
    shape: dict[str, Any] = {"img_size": options.size, "num_classes": options.classes}
    student = timm.create_model(options.student, **shape)
    teacher = sharpened(timm.create_model(options.teacher, **shape))
    pairs = compare(student, teacher, Objective(batch_size=options.batch_size))
    for step, (theirs, mine) in enumerate(pairs):
        print(f"step {step:2d}: timm {theirs:.7f}, medistill {mine:.7f}, {mine - theirs:+.1e}")
    print(f"largest difference: {max(abs(mine - theirs) for theirs, mine in pairs):.1e}")


if __name__ == "__main__":
    run_program(main, "conformity")

"""A small training: a real ViT with drop-path and dropout on eight random pictures."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import lightning_fabric  # noqa: F401  the fork server shall import it once
import torch
from torch import Tensor, nn

from medistill.data.batch import Batch
from medistill.imaging.preprocessing import Preprocessing
from medistill.methods.kdvit import KDViT
from medistill.methods.method import Method
from medistill.models.network import Network
from medistill.models.vit import VisionTransformer
from medistill.train.loop import FitResult, fit
from medistill.train.progress import ProgressEvent
from medistill.train.settings import TrainSettings

BATCH, SIZE, STEPS = 8, 16, 5
NAN = float("nan")


def make_batch(step: int = 0, *, count: int = BATCH, size: int = SIZE) -> Batch:
    """A pure function of the step; the label says whether the left half is brighter."""
    generator = torch.Generator().manual_seed(step)
    images = torch.rand(count, 1, size, size, generator=generator)
    left = torch.arange(count) % 2
    images[left == 1, :, :, : size // 2] += 0.5
    return Batch(
        index=torch.arange(count),
        view=torch.ones(count, dtype=torch.int64),
        hashes=[f"image-{row}" for row in range(count)],
        images=images / 1.5,
        teacher_images=None,
        labels=torch.eye(2)[left],
    )


class Stream:
    """Endless batches; remembers which steps were asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def batches(self, start_step: int, stop_step: int) -> Iterator[Batch]:
        self.asked.append((start_step, stop_step))
        for step in range(start_step, stop_step):
            yield make_batch(step)


class Sayings:
    """Targets that depend on the image alone."""

    def __init__(self, *, mixable: bool = True) -> None:
        self.mixable = mixable

    def get(self, batch: Batch) -> dict[str, Tensor]:
        half = batch.images.shape[-1] // 2
        contrast = (batch.images[..., :half] - batch.images[..., half:]).mean((1, 2, 3))
        return {
            "logits": torch.stack([-9 * contrast, 9 * contrast], dim=1),
            "pooled": batch.images.flatten(1)[:, :12].contiguous(),
        }


class Dropping(VisionTransformer):
    """Our ViT with dropout on the pixels."""

    def forward(self, x: Tensor, want: frozenset[str] = frozenset()) -> Any:
        return super().forward(nn.functional.dropout(x, 0.2, self.training), want)


def make_network(seed: int = 0) -> Network:
    torch.manual_seed(seed)
    backbone = Dropping(
        image_size=SIZE, patch_size=8, width=16, depth=2, heads=2, classes=2, drop_path=0.3
    )
    return Network(backbone, Preprocessing(size=SIZE))


def make_settings(**changes: Any) -> TrainSettings:
    values: dict[str, Any] = {"epochs": 4, "batch_size": BATCH, "lr": 0.003, "warmup_epochs": 1}
    return TrainSettings(**{**values, **changes})


def score_on_select(network: Network) -> Mapping[str, float]:
    """Accuracy in place of AUROC, and the loss, on a batch of its own."""
    batch = make_batch(10_000, count=32)
    logits = network(batch.images).logits
    truth = batch.labels.argmax(1)
    return {
        "auroc": (logits.argmax(1) == truth).float().mean().item(),
        "loss": nn.functional.cross_entropy(logits, truth).item(),
    }


def train_small(
    folder: Path, method: Method | None = None, settings: TrainSettings | None = None, **more: Any
) -> FitResult:
    arguments: dict[str, Any] = {
        "stream": Stream(),
        "targets": Sayings(),
        "steps_per_epoch": STEPS,
        "score": score_on_select,
        **more,
    }
    network = arguments.pop("network", None) or make_network()
    return fit(
        network,
        method or KDViT(),
        settings=settings or make_settings(),
        folder=folder,
        **arguments,
    )


def state_hash(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names and bytes."""
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(name.encode() + value.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def last_state(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(folder / "last.pt", weights_only=True)
    return content


def train_slowly(folder: Path, teller: Connection) -> None:
    """Train in a process of its own and tell each step, so that a test can kill it."""
    torch.set_num_threads(1)

    def tell(event: ProgressEvent) -> None:
        teller.send(event.step)
        time.sleep(0.02)

    train_small(folder, progress=tell, settings=MIXING)


MIXING = make_settings(mixup=0.8, cutmix=1.0)

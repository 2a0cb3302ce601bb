"""A small training without dropout, for one process or several under torchrun."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from medistill.imaging.preprocessing import Preprocessing
from medistill.methods.embedding import Embedding
from medistill.models.network import Network
from medistill.models.vit import VisionTransformer
from medistill.train.loop import FitResult
from tests.unit.train.small import SIZE, make_settings, train_small


def train_plainly(folder: Path) -> FitResult:
    """Embedding leaves the head without a gradient and has an adapter: both are hard for DDP."""
    torch.manual_seed(0)
    backbone = VisionTransformer(
        image_size=SIZE, patch_size=8, width=16, depth=1, heads=2, classes=2
    )
    network = Network(backbone, Preprocessing(size=SIZE))
    settings = make_settings(precision="32-true", epochs=2, mixup=0.8, ema=None)
    return train_small(folder, Embedding(), settings, network=network)


if __name__ == "__main__":
    torch.set_num_threads(1)
    train_plainly(Path(sys.argv[1]))

"""Distilling through a token with us is doing so with timm: the same losses and gradients."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import timm
import torch
from timm.task import TokenDistillationTask
from torch import nn

from medistill.data.batch import Batch
from medistill.imaging.preprocessing import Preprocessing
from medistill.methods.deit import DeiT
from medistill.models.network import Network
from medistill.models.vit import VisionTransformer

SMALL: dict[str, Any] = {"img_size": 32, "patch_size": 8, "depth": 2, "num_classes": 3}
STEPS = 5


def pair() -> tuple[nn.Module, Network, nn.Module]:
    """timm's student, ours with its weights, and a teacher that both ask."""
    torch.manual_seed(0)
    theirs = timm.create_model(
        "deit_tiny_distilled_patch16_224", embed_dim=48, num_heads=3, **SMALL
    )
    mine = VisionTransformer(
        image_size=32, patch_size=8, width=48, depth=2, heads=3, classes=3, distilled=True
    )
    mine.load_state_dict(theirs.state_dict(), strict=True)
    config = theirs.pretrained_cfg
    preprocessing = Preprocessing(size=32, mean=config["mean"], std=config["std"])
    teacher = timm.create_model("deit_small_patch16_224", embed_dim=96, num_heads=4, **SMALL)
    nn.init.normal_(teacher.head.weight, std=1.0)
    return theirs, Network(mine, preprocessing), teacher.eval()


@pytest.mark.parametrize(("kind", "temperature"), [("hard", 1.0), ("soft", 3.0)])
def test_losses_agree_with_timm_step_by_step(kind: str, temperature: float) -> None:
    theirs, mine, teacher = pair()
    task = TokenDistillationTask(
        theirs,
        copy.deepcopy(teacher),
        criterion=nn.CrossEntropyLoss(),
        distill_type=kind,
        task_loss_weight=0.5,
        temperature=temperature,
        verbose=False,
    ).train()
    method = DeiT(kind=kind, soft_weight=0.5, temperature=temperature)  # type: ignore[arg-type]
    mean, std = (values.reshape(1, 3, 1, 1) for values in (mine.mean, mine.std))
    optimisers = [torch.optim.AdamW(m.parameters(), lr=1e-3) for m in (theirs, mine.train())]
    first = 0.0
    for step in range(STEPS):
        images = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(step))
        labels = torch.arange(8) % 3
        expected = task((images - mean) / std, labels)["loss"]
        found = ours(method, mine, teacher, images, labels)
        assert found.item() == pytest.approx(expected.item(), abs=1e-5)
        for loss, optimiser in zip((expected, found), optimisers, strict=True):
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        first = first or found.item()
    assert found.item() != pytest.approx(first, abs=1e-3), "nothing was learned"


def ours(
    method: DeiT, student: Network, teacher: nn.Module, images: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """Our loss, with timm's teacher asked as timm asks it: normalised as it expects."""
    config = teacher.pretrained_cfg
    mean, std = (torch.tensor(config[key]).reshape(1, 3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        said = teacher((images - mean) / std)
    batch = Batch(
        index=torch.arange(8),
        view=torch.ones(8, dtype=torch.int64),
        hashes=[str(row) for row in range(8)],
        images=images,
        teacher_images=None,
        labels=torch.eye(3)[labels],
    )
    outputs = student(images, method.wants(student))
    terms = method.terms(outputs, {"logits": said}, batch, nn.ModuleDict())
    return torch.stack(list(terms.values())).sum()

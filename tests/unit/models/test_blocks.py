"""Parts of the Transformer."""

from __future__ import annotations

import torch
from torch.nn import functional

from medistill.models.blocks import Block, DropPath, PatchEmbed


def test_patches_come_row_by_row() -> None:
    embed = PatchEmbed(patch_size=2, channels=1, width=1)
    torch.nn.init.constant_(embed.proj.weight, 0.25)
    torch.nn.init.zeros_(embed.proj.bias)
    image = torch.tensor([[1.0, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]])
    assert embed(image[None, None]).flatten().tolist() == [1.0, 2.0, 3.0, 4.0]


def test_drop_path_drops_whole_images_and_keeps_the_expectation() -> None:
    torch.manual_seed(0)
    dropped = DropPath(0.25).train()(torch.ones(4000, 2, 3))
    per_image = dropped.flatten(1)
    assert torch.equal(per_image.amin(1), per_image.amax(1))
    torch.testing.assert_close(per_image.unique(), torch.tensor([0.0, 1 / 0.75]))
    assert abs(dropped.mean().item() - 1.0) < 0.03  # deviation of the mean: .009


def test_drop_path_is_the_identity_in_eval_mode_and_at_rate_zero() -> None:
    x = torch.randn(3, 2, 2)
    assert DropPath(0.9).eval()(x) is x
    assert DropPath(0.0).train()(x) is x


def test_block_is_two_residual_branches() -> None:
    torch.manual_seed(0)
    block = Block(width=8, heads=2, mlp_ratio=2.0, drop_path=0.0).eval()
    x = torch.randn(2, 5, 8)
    middle = x + block.attn(functional.layer_norm(x, (8,), eps=1e-6))[0]
    inner = functional.gelu(block.mlp.fc1(functional.layer_norm(middle, (8,), eps=1e-6)))
    torch.testing.assert_close(block(x)[0], middle + block.mlp.fc2(inner))
    assert block.mlp.fc1.out_features == 16

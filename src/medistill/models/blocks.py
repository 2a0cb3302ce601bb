"""Parts of a pre-norm Transformer; names and equations as in ``models.vit``.

Dimension key: B batch, C channels, S image side, N tokens, D width, H heads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from medistill.models.local import LeFF, LocalFeedForward
from medistill.models.relative import RelativePositions


class DropPath(nn.Module):
    """Stochastic depth (Huang et al., ECCV 2016): drops a branch for some images of a batch.

    What is kept is divided by the chance of being kept, so that the expectation stays.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, D) to (B, N, D); the identity in eval mode."""
        if not self.training or self.rate == 0.0:
            return x
        keep = 1.0 - self.rate
        return x * (x.new_empty(x.shape[0], 1, 1).bernoulli_(keep) / keep)


class PatchEmbed(nn.Module):
    """Cut an image into patches and project each linearly."""

    def __init__(self, *, patch_size: int, channels: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(channels, width, kernel_size=patch_size, stride=patch_size)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, S, S) to (B, N, D), row by row."""
        patches: Tensor = self.proj(x)
        return patches.flatten(2).transpose(1, 2)


class Attention(nn.Module):
    """Multi-head self-attention, with relative positions where ``relative`` is given."""

    def __init__(
        self, *, width: int, heads: int, relative: RelativePositions | None = None
    ) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.relative = relative

    def forward(
        self, x: Tensor, with_map: bool = False, first: int | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Map (B, N, D) to (B, N, D) and, if wanted, the attention (B, H, N, N).

        With ``first``, only the first tokens ask, and N of what comes out is ``first``. The fused
        kernel never forms the attention, so it is computed once more from q and k.
        """
        q, k, v = self._all(x) if first is None else self._some(x, first)
        if self.relative is None:
            mixed = functional.scaled_dot_product_attention(q, k, v)
            shown = self._map(q, k) if with_map else None
        else:
            # Its logits are formed anyway, and so the fused kernel would save nothing.
            shown = self._map(q, k, self.relative.logits(q, k, self.scale))
            mixed = shown @ v
            if self.relative.changes_values:
                mixed = mixed + self.relative.values(shown)
        mixed = self.proj(mixed.transpose(1, 2).flatten(2))
        return mixed, shown if with_map else None

    def _all(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of all tokens, each (B, H, N, D / H)."""
        q, k, v = self._heads(self.qkv(x), 3)
        return q, k, v

    def _some(self, x: Tensor, first: int) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of the first tokens; keys and values of all."""
        width = x.shape[-1]
        weight, bias = self.qkv.weight, self.qkv.bias
        (q,) = self._heads(functional.linear(x[:, :first], weight[:width], bias[:width]), 1)
        k, v = self._heads(functional.linear(x, weight[width:], bias[width:]), 2)
        return q, k, v

    def _heads(self, x: Tensor, count: int) -> tuple[Tensor, ...]:
        """``count`` tensors (B, H, N, D / H) out of (B, N, count * D)."""
        batch, tokens, width = x.shape
        split = x.reshape(batch, tokens, count, self.heads, width // count // self.heads)
        # Cut before turned: gradients then come back in the order of x, and need no copy.
        return tuple(part.transpose(1, 2) for part in split.unbind(2))

    def _map(self, q: Tensor, k: Tensor, added: Tensor | None = None) -> Tensor:
        logits = (q * self.scale) @ k.transpose(-2, -1)
        return torch.softmax(logits if added is None else logits + added, dim=-1)


class Mlp(nn.Module):
    """Two linear layers with GELU between, the same for every token."""

    def __init__(self, *, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, N, D) to (B, N, D)."""
        grown: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return grown


class Block(nn.Module):
    """Pre-norm Transformer block.

    Args:
        width: numbers a token.
        heads: attention heads.
        mlp_ratio: hidden width of the MLP over ``width``.
        drop_path: stochastic depth.
        relative: relative positions in the attention, or None.
        local: a feed-forward part with convolutions in place of the MLP, or None.
    """

    def __init__(
        self,
        *,
        width: int,
        heads: int,
        mlp_ratio: float,
        drop_path: float,
        relative: RelativePositions | None = None,
        local: LeFF | LocalFeedForward | None = None,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width=width, heads=heads, relative=relative)
        plain = local is not None and not local.normed
        self.norm2 = nn.Identity() if plain else nn.LayerNorm(width, eps=1e-6)
        self.mlp = local or Mlp(width=width, hidden=int(width * mlp_ratio))
        self.drop_path = DropPath(drop_path)

    def forward(
        self, x: Tensor, with_map: bool = False, first: int | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Map (B, N, D) to (B, N, D) and, if wanted, the attention (B, H, N, N).

        With ``first``, only the first tokens are computed; local convolutions need all of them.
        """
        mixed, attention = self.attn(self.norm1(x), with_map, first)
        x = x[:, :first] + self.drop_path(mixed)
        return x + self.drop_path(self.mlp(self.norm2(x))), attention

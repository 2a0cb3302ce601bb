"""Vision Transformer, plain and with DeiT's distillation token.

Sources: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, equations 1 to 4;
Touvron et al., "Training data-efficient image transformers", ICML 2021, section 4.

The names in the state dict equal those of timm's ``vit_*`` and ``deit_*_distilled`` models, so
weights published for them load strictly.

Dimension key: B batch, C channels, S image side, N tokens, D width, H heads, K classes.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor, nn

from medistill.core.errors import RecipeError, UnknownNameError
from medistill.models.blocks import Block, PatchEmbed
from medistill.models.local import local_part
from medistill.models.outputs import Outputs
from medistill.models.relative import RelativePositions


class VitSize(NamedTuple):
    """Width, depth and heads of a named size."""

    width: int
    depth: int
    heads: int


VIT_SIZES = MappingProxyType(
    {
        "vit_tiny": VitSize(192, 12, 3),
        "vit_small": VitSize(384, 12, 6),
        "vit_base": VitSize(768, 12, 12),
        "vit_large": VitSize(1024, 24, 16),
    }
)


def check_vit_shape(
    *, image_size: int, patch_size: int, width: int, depth: int, heads: int, where: str
) -> None:
    """Refuse a Transformer that cannot be built, and say the nearest one that can.

    Args:
        image_size: side in pixels.
        patch_size: side in pixels; must divide ``image_size``.
        width: numbers a token; must be divisible by ``heads``.
        depth: blocks.
        heads: attention heads.
        where: recipe block, for the message.

    Raises:
        RecipeError: a value is impossible.
    """
    sizes = {"image_size": image_size, "patch_size": patch_size, "width": width}
    for key, value in {**sizes, "depth": depth, "heads": heads}.items():
        if type(value) is not int or value < 1:
            cure = "Give a whole number above 0."
            raise RecipeError(where=f"{where}.{key}", what=f"{value!r} is impossible", cure=cure)
    if image_size % patch_size:
        raise RecipeError(
            where=f"{where}.image_size",
            what=f"{image_size} is not divisible by patch_size {patch_size}",
            cure=f"Nearest valid image_size: {nearest_multiple(image_size, patch_size)}.",
        )
    if width % heads:
        raise RecipeError(
            where=f"{where}.width",
            what=f"{width} is not divisible by heads {heads}",
            cure=f"Nearest valid width: {nearest_multiple(width, heads)}.",
        )


def nearest_multiple(value: int, step: int) -> int:
    """The multiple of ``step`` that is nearest to ``value``, at least ``step``."""
    return max(step, step * ((2 * value + step) // (2 * step)))


class VisionTransformer(nn.Module):
    """A ViT or DeiT of any size.

    Features that ``want`` may name:
        ``tokens.{i}``: (B, N, D) after block i, class (and distillation) token first, before
        the last norm. ``attention.{i}``: (B, H, N, N) of block i, rows sum to 1. ``pooled``:
        (B, D) normalised class token, mean of both tokens when distilled. ``head``: (B, K)
        logits of the class token; ``head_dist``: (B, K) of the distillation token, if any.

    Args:
        image_size: side of the square input in pixels.
        patch_size: side of a patch in pixels.
        width: numbers a token.
        depth: blocks.
        heads: attention heads; width divided by it is the width of a head.
        classes: length of the logits; 0 for none (the logits are then the pooled embedding).
        channels: input channels.
        distilled: add DeiT's distillation token and second head; the logits are then the mean
            of both heads, in training too.
        mlp_ratio: hidden width of the MLP over ``width``.
        drop_path: stochastic depth of the last block, growing linearly from 0.
        relative: see ``models.relative``; None for absolute positions alone.
        local: see ``models.local``; None for the MLP.

    Raises:
        RecipeError: the sizes do not divide.
    """

    def __init__(
        self,
        *,
        image_size: int,
        patch_size: int,
        width: int,
        depth: int,
        heads: int,
        classes: int,
        channels: int = 3,
        distilled: bool = False,
        mlp_ratio: float = 4.0,
        drop_path: float = 0.0,
        relative: str | None = None,
        local: str | None = None,
    ) -> None:
        super().__init__()
        check_vit_shape(
            image_size=image_size,
            patch_size=patch_size,
            width=width,
            depth=depth,
            heads=heads,
            where="vit",
        )
        self.image_size, self.patch_size, self.width = image_size, patch_size, width
        self.classes, self.channels, self.distilled = classes, channels, distilled
        self.patch_embed = PatchEmbed(patch_size=patch_size, channels=channels, width=width)
        self._add_tokens(width)
        self.relative, self.local = relative, local
        rates = (drop_path * index / max(depth - 1, 1) for index in range(depth))
        self.blocks = nn.ModuleList(self._block(heads, mlp_ratio, rate) for rate in rates)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes) if classes else nn.Identity()
        if distilled:
            self.head_dist = nn.Linear(width, classes) if classes else nn.Identity()
        self._initialise()

    @property
    def num_prefix_tokens(self) -> int:
        """Tokens before the patches: class, and distillation if any."""
        return 2 if self.distilled else 1

    def _block(self, heads: int, mlp_ratio: float, drop_path: float) -> Block:
        relative = self.relative and RelativePositions(
            self.relative,
            side=self.image_size // self.patch_size,
            prefix=self.num_prefix_tokens,
            heads=heads,
            width=self.width // heads,
        )
        hidden = int(self.width * mlp_ratio)
        local = self.local and local_part(
            self.local, width=self.width, hidden=hidden, prefix=self.num_prefix_tokens
        )
        return Block(
            width=self.width,
            heads=heads,
            mlp_ratio=mlp_ratio,
            drop_path=drop_path,
            relative=relative or None,
            local=local or None,
        )

    def _add_tokens(self, width: int) -> None:
        tokens = (self.image_size // self.patch_size) ** 2 + self.num_prefix_tokens
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        if self.distilled:
            self.dist_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, width))

    def _initialise(self) -> None:
        """As DeiT: normal of deviation .02 cut at two deviations, zero biases."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        if self.distilled:
            nn.init.trunc_normal_(self.dist_token, std=0.02)

    @property
    def feature_names(self) -> frozenset[str]:
        """Every name that ``want`` may hold."""
        names = {"pooled", "head"} | ({"head_dist"} if self.distilled else set())
        for index in range(len(self.blocks)):
            names |= {f"tokens.{index}", f"attention.{index}"}
        return frozenset(names)

    def forward(self, x: Tensor, want: frozenset[str] = frozenset()) -> Outputs:
        """Logits and wanted features of normalised images (B, C, S, S).

        Raises:
            UnknownNameError: ``want`` holds a name that is not in ``feature_names``.
            ValueError: the images have another size than the model.
        """
        for name in sorted(want - self.feature_names):
            raise UnknownNameError(where="vit", kind="feature", name=name, known=self.feature_names)
        if x.shape[-2:] != (self.image_size, self.image_size):
            raise ValueError(f"images of {tuple(x.shape[-2:])} for a ViT of {self.image_size}")
        features: dict[str, Tensor] = {}
        tokens = self._embed(x)
        for index, block in enumerate(self.blocks):
            first = self._needed(index, want)
            tokens, attention = block(tokens, f"attention.{index}" in want, first)
            features[f"tokens.{index}"] = tokens
            if attention is not None:
                features[f"attention.{index}"] = attention
        logits = self._classify(self.norm(tokens), features)
        return Outputs(logits, {name: features[name] for name in sorted(want)})

    def _needed(self, index: int, want: frozenset[str]) -> int | None:
        """How many tokens block ``index`` must compute; None for all.

        Nothing reads the patches after the last block unless they are wanted.
        """
        last = index == len(self.blocks) - 1
        wanted = {f"tokens.{index}", f"attention.{index}"} & want
        if not last or wanted or self.relative or self.local:
            return None
        return self.num_prefix_tokens

    def _embed(self, x: Tensor) -> Tensor:
        patches = self.patch_embed(x)
        batch = patches.shape[0]
        prefix = [self.cls_token] + ([self.dist_token] if self.distilled else [])
        tokens = [token.expand(batch, -1, -1) for token in prefix]
        return torch.cat([*tokens, patches], dim=1) + self.pos_embed

    def _classify(self, tokens: Tensor, features: dict[str, Tensor]) -> Tensor:
        """Logits (B, K) of normalised tokens (B, N, D); adds pooled and head features."""
        logits: Tensor = self.head(tokens[:, 0])
        features["pooled"], features["head"] = tokens[:, 0], logits
        if not self.distilled:
            return logits
        features["pooled"] = (tokens[:, 0] + tokens[:, 1]) / 2
        features["head_dist"] = self.head_dist(tokens[:, 1])
        return (logits + features["head_dist"]) / 2

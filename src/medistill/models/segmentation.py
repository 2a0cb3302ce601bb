"""Segmentation: any timm encoder of four scales with an all-MLP head.

Xie et al., "SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers",
NeurIPS 2021, section 3.2, for the head; the encoder is timm's, for example PVTv2.

Dimension key: B batch, C channels, S image side, K classes, H W sides of a map.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from medistill.core.errors import RecipeError, UnknownNameError
from medistill.models.outputs import Outputs
from medistill.models.sliding import Windows
from medistill.models.timm_bridge import TimmModel

LEVELS = 4
#: Sides must be a multiple of the coarsest scale.
STRIDE = 32


class Segmenter(nn.Module):
    """Encoder and all-MLP head; class scores of every pixel.

    Features that ``want`` may name:
        ``level{i}``: (B, C_i, S / 4 / 2^i, ...) maps of the encoder, i from 0 to 3. ``coarse``:
        (B, K, S / 4, S / 4), the scores before they are interpolated. ``pooled``: (B, C_3), the
        mean of the last map. ``importance{i}``: (B, 1, h, w), logarithm of the attention that each
        key of the last block of level i receives, averaged over heads and queries (PVTv2 only).

    Args:
        encoder: a timm model without classes whose last four maps halve from S / 4 to S / 32.
        classes: K, the background included.
        width: channels of the head.
        windows: where it also answers about a canvas larger than the images that it is trained
            on, window by window; of such a one ``want`` may name ``pooled`` alone.
    """

    def __init__(
        self,
        encoder: TimmModel,
        *,
        classes: int,
        width: int = 256,
        windows: Windows | None = None,
    ) -> None:
        super().__init__()
        self.windows = windows
        self.encoder, self.classes, self.channels = encoder, classes, encoder.channels
        encoder.widened = True
        self._stages = [len(encoder.widths) - LEVELS + level for level in range(LEVELS)]
        channels = encoder.widths[-LEVELS:]
        self.project = nn.ModuleList(nn.Conv2d(given, width, 1) for given in channels)
        fuse = nn.Conv2d(LEVELS * width, width, 1, bias=False)
        self.fuse = nn.Sequential(fuse, nn.BatchNorm2d(width), nn.ReLU())
        self.classify = nn.Conv2d(width, classes, 1)

    @property
    def watches(self) -> bool:
        """Whether the encoder shows which tokens are important."""
        return type(self.encoder.model).__name__ == "PyramidVisionTransformerV2"

    @property
    def feature_names(self) -> frozenset[str]:
        """Every name that ``want`` may hold."""
        kinds = ("level", "importance") if self.watches else ("level",)
        names = {f"{kind}{level}" for kind in kinds for level in range(LEVELS)}
        return frozenset(names | {"coarse", "pooled"})

    def forward(self, x: Tensor, want: frozenset[str] = frozenset()) -> Outputs:
        """Logits (B, K, S, S) and wanted features of normalised images (B, C, S, S).

        Raises:
            UnknownNameError: ``want`` holds a name that is not in ``feature_names``.
        """
        for name in sorted(want - self.feature_names):
            raise UnknownNameError(
                where="segmenter", kind="feature", name=name, known=self.feature_names
            )
        if self.windows is not None and x.shape[-1] != self.windows.window:
            return self._slid(self.windows, x, want)
        features = self._encode(x, want)
        maps = [features[f"level{level}"] for level in range(LEVELS)]
        coarse = self.classify(self.fuse[1:](self._fused(maps)))
        features |= {"coarse": coarse, "pooled": maps[-1].mean(dim=(2, 3))}
        logits = _resized(coarse, x)
        return Outputs(logits, {name: features[name] for name in sorted(want)})

    def _slid(self, windows: Windows, x: Tensor, want: frozenset[str]) -> Outputs:
        """Blended logits (B, K, L, L), and the mean of ``pooled`` over the windows."""
        pooled = want & {"pooled"}
        if want - pooled:
            raise ValueError(f"a canvas has no {', '.join(sorted(want - pooled))}")
        if torch.compiler.is_exporting():
            # One pass of all windows, so that the graph holds the network once.
            whole = self(torch.cat(list(windows.cut(x))), pooled)
            said = _apart(whole, len(windows.corners))
        else:
            said = [self(part, pooled) for part in windows.cut(x)]
        features = {
            name: torch.stack([o.features[name] for o in said]).mean(dim=0) for name in pooled
        }
        return Outputs(windows.blend([outputs.logits for outputs in said]), features)

    def _fused(self, maps: Sequence[Tensor]) -> Tensor:
        """What ``fuse`` makes of the projected and interpolated maps, deepest first.

        Nothing between a projection and the fusion is more than linear, and 1 x 1 commutes with
        interpolation: their weights are joined, and each map is weighed at its own size.
        """
        parts = self.fuse[0].get_parameter("weight").flatten(1).chunk(LEVELS, dim=1)
        fused = []
        for part, project, each in zip(reversed(parts), self.project, maps, strict=True):
            fused.append(_resized(functional.conv2d(each, *_joined(part, project)), maps[0]))
        # A sum of a stack would leave the layout in which interpolation is quick.
        return functools.reduce(torch.add, fused)

    def _encode(self, x: Tensor, want: frozenset[str]) -> dict[str, Tensor]:
        if any(name.startswith("importance") for name in want):
            return _watched(self.encoder.model, x, want)
        stages = frozenset(f"stage{stage}" for stage in self._stages)
        found = self.encoder(x, stages).features
        # Interpolation is ten times slower in the other layout.
        return {
            f"level{i}": found[f"stage{stage}"].contiguous(memory_format=torch.channels_last)
            for i, stage in enumerate(self._stages)
        }


def _apart(outputs: Outputs, count: int) -> list[Outputs]:
    """Outputs of ``count`` batches, one after the other, each by itself."""
    # Not in chunks: the exporter would take the batch for a constant.
    logits = torch.unflatten(outputs.logits, 0, (count, -1)).unbind(0)
    features = {
        name: torch.unflatten(value, 0, (count, -1)).unbind(0)
        for name, value in outputs.features.items()
    }
    return [
        Outputs(each, {name: values[place] for name, values in features.items()})
        for place, each in enumerate(logits)
    ]


def _joined(part: Tensor, project: Any) -> tuple[Tensor, Tensor]:
    """Weight and bias of a projection that is followed by ``part`` (D, D) of the fusion."""
    with torch.autocast(part.device.type, enabled=False):
        weight: Tensor = part @ project.weight.flatten(1)
        return weight[:, :, None, None], part @ project.bias


def _resized(maps: Tensor, like: Tensor) -> Tensor:
    """(B, C, h, w) maps at the height and width of another."""
    size = (like.shape[-2], like.shape[-1])
    if maps.shape[-2:] == size:
        return maps
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def check_segmenter(encoder: TimmModel, *, image_size: int, where: str) -> None:
    """Refuse an encoder or an image size that the head cannot work with.

    Raises:
        RecipeError: no four maps from 1/4 to 1/32, or a side that 32 does not divide.
    """
    info = getattr(encoder.model, "feature_info", [])
    steps = [info[i]["reduction"] for i in range(len(info))][-LEVELS:]
    if steps != [4, 8, 16, 32] or not hasattr(encoder.model, "forward_intermediates"):
        raise RecipeError(
            where=f"{where}.decoder",
            what=f"{encoder.name} has no four maps from 1/4 to 1/32 of the image",
            cure="Use a pyramid, for example pvt_v2_b0 or resnet18.",
        )
    if image_size % STRIDE:
        nearest = max(STRIDE, STRIDE * round(image_size / STRIDE))
        raise RecipeError(
            where=f"{where}.image_size",
            what=f"{image_size} is not divisible by {STRIDE}, the coarsest scale",
            cure=f"Nearest valid image_size: {nearest}.",
        )


def _watched(model: Any, x: Tensor, want: frozenset[str]) -> dict[str, Tensor]:
    """PVTv2's forward pass, stage by stage, with the attention that keys receive."""
    features: dict[str, Tensor] = {}
    x = model.patch_embed(x)
    for level, stage in enumerate(model.stages):
        if stage.downsample is not None:
            x = stage.downsample(x)
        batch, height, width, _ = x.shape
        rows = x.reshape(batch, height * width, -1)
        for block in stage.blocks[:-1]:
            rows = block(rows, (height, width))
        last = stage.blocks[-1]
        if f"importance{level}" in want:
            seen = last.norm1(rows)
            features[f"importance{level}"] = _importance(last.attn, seen, height, width)
        rows = stage.norm(last(rows, (height, width)))
        x = rows.reshape(batch, height, width, -1).permute(0, 3, 1, 2)
        features[f"level{level}"] = x
    return features


def _importance(attention: Any, rows: Tensor, height: int, width: int) -> Tensor:
    """(B, 1, h, w) logarithm of the mean attention to each key, from q and k.

    The fused kernel never forms the attention, so it is computed once more, in float32.
    """
    batch, tokens, channels = rows.shape
    heads = attention.num_heads
    q = attention.q(rows).reshape(batch, tokens, heads, -1).transpose(1, 2)
    keys = rows
    if attention.pool is not None or attention.sr is not None:
        maps = rows.transpose(1, 2).reshape(batch, channels, height, width)
        maps = attention.sr(maps if attention.pool is None else attention.pool(maps))
        height, width = maps.shape[-2:]
        keys = attention.norm(maps.flatten(2).transpose(1, 2))
        keys = keys if attention.act is None else attention.act(keys)
    k = attention.kv(keys)[..., :channels].reshape(batch, -1, heads, channels // heads)
    with torch.autocast(rows.device.type, enabled=False):
        logits = (q.float() * attention.scale) @ k.transpose(1, 2).float().transpose(-2, -1)
        shares = torch.log_softmax(logits, dim=-1)
        mean = torch.logsumexp(shares, dim=(1, 2)) - math.log(heads * tokens)
        return mean.reshape(batch, 1, height, width)

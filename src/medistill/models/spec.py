"""The model block of a recipe. Torch-free, so that recipes can be read without torch."""

from __future__ import annotations

from dataclasses import dataclass

Statistics = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """The ``teacher`` or ``student`` block's model.

    Attributes:
        name: ``vit_tiny``, ``vit_small``, ``vit_base``, ``vit_large``; ``vit`` with its own
            width, depth and heads; else a timm name, with or without ``timm/`` before it.
        image_size: side in pixels; None for 224 (ours) or the published one (timm).
        patch_size: side of a patch in pixels (ours; None for 16).
        width: numbers a token (ours).
        depth: blocks (ours; None for 12 with ``vit``).
        heads: attention heads (ours; None for one a 64 numbers with ``vit``).
        distilled: DeiT's distillation token and second head (ours).
        relative: relative positions in the attention (ours): ``k``, ``q``, ``qk``, ``qkv`` or
            ``bias`` after iRPE; None for absolute ones alone.
        local: convolutions in the place of the MLP (ours): ``leff``, ``localvit``, ``localvit-se``
            or ``localvit-eca``; None for the MLP.
        shrinkage: residual shrinkage in every MobileViT block (timm's mobilevit names): ``r4`` or
            ``eca``; None for none. RMS-Net is mobilevit_xxs with ``r4``.
        decoder: ``mlp`` for a segmentation network with this encoder; None for classes of images.
        decoder_width: channels of that decoder.
        canvas: side in pixels at which masks are predicted, window by window of ``image_size``;
            None for ``image_size`` itself.
        overlap: share of a window that the next one repeats.
        drop_path: stochastic depth of the last block, from 0 to below 1.
        channels: input channels of the model, 3 or 1; gray images are repeated for 3.
        normalisation: ``published`` (what the model's published weights expect: for ours half,
            and imagenet when distilled), ``imagenet``, ``half`` (mean and deviation .5), or
            (mean, std), each one value a channel.
        train_normalisation: the same, used only while training, to repeat work whose training and
            test disagreed; None trains as it predicts.
    """

    name: str = "vit_tiny"
    image_size: int | None = None
    patch_size: int | None = None
    width: int | None = None
    depth: int | None = None
    heads: int | None = None
    distilled: bool = False
    relative: str | None = None
    local: str | None = None
    shrinkage: str | None = None
    decoder: str | None = None
    decoder_width: int = 256
    canvas: int | None = None
    overlap: float = 0.5
    drop_path: float = 0.0
    channels: int = 3
    normalisation: str | Statistics = "published"
    train_normalisation: str | Statistics | None = None

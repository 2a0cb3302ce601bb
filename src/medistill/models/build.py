"""From a recipe's model block to a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import nn

from medistill.core.errors import RecipeError, UnknownNameError
from medistill.imaging.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Channels,
    Fit,
    Preprocessing,
)
from medistill.models.local import KINDS
from medistill.models.network import Network, feature_shapes
from medistill.models.relative import MODES
from medistill.models.segmentation import Segmenter, check_segmenter
from medistill.models.shrinkage import GATES, add_shrinkage
from medistill.models.sliding import Windows
from medistill.models.spec import ModelSpec, Statistics
from medistill.models.timm_bridge import TimmModel, timm_defaults
from medistill.models.vit import (
    VIT_SIZES,
    VisionTransformer,
    VitSize,
    check_vit_shape,
    nearest_multiple,
)

__all__ = ["ModelSpec", "Statistics", "build_model", "is_ours", "timm_name"]

NORMALISATIONS: Mapping[str, Statistics] = MappingProxyType(
    {
        "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
        "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    }
)
# What only our own ViT understands; for timm these are part of the name.
_VIT_FIELDS = ("patch_size", "width", "depth", "heads", "relative", "local")


def build_model(
    spec: ModelSpec,
    *,
    classes: int,
    channels: Channels = "gray",
    fit: Fit = "stretch",
    stored_size: int | None = None,
    window: str | None = None,
    where: str = "model",
) -> Network:
    """A network with random weights; nothing is downloaded.

    Args:
        spec: the model block.
        classes: length of the logits; 0 for none.
        channels: what the store holds; a model that takes three repeats a gray image.
        fit: how a picture that is not square becomes square.
        stored_size: short side of the stored images in pixels, for the preprocessing.
        window: gray scale of CT, for the preprocessing.
        where: name of the recipe block, for messages.

    Raises:
        RecipeError: an unknown name or an impossible value.
    """
    _check_values(spec, where)
    ours = is_ours(spec.name)
    backbone = (_vit if ours else _timm)(spec, classes, where)
    mean, std = _normalisation(spec, where)
    preprocessing = Preprocessing(
        size=spec.canvas or _image_size(spec, where),
        mean=mean,
        std=std,
        channels=channels,
        fit=fit,
        stored_size=stored_size,
        window=window,
    )
    while_training = _training_statistics(spec, where)
    network = Network(backbone, preprocessing, training_statistics=while_training)
    if not ours:
        # Convolutions keep to their weights' layout; channels last trains EfficientNet-Lite0 1.4
        # times faster on a CPU and suits tensor cores.
        network = network.to(memory_format=torch.channels_last)
    if not ours and spec.image_size is not None:
        _try_once(network, spec, where)
    return network


def _check_values(spec: ModelSpec, where: str) -> None:
    if spec.channels not in (1, 3):
        what = f"{spec.channels} channels"
        raise RecipeError(where=f"{where}.channels", what=what, cure="Give 1 (gray) or 3.")
    if not 0 <= spec.drop_path < 1:
        what = f"{spec.drop_path} is not a rate"
        raise RecipeError(where=f"{where}.drop_path", what=what, cure="Give 0 to below 1.")
    if spec.canvas is not None and spec.decoder is None:
        what = "windows are for masks, and this network has no decoder"
        raise RecipeError(where=f"{where}.canvas", what=what, cure="Leave it out.")


def _training_statistics(spec: ModelSpec, where: str) -> Statistics | None:
    """Another normalisation while it trains, where the spec asks for one."""
    if spec.train_normalisation is None:
        return None
    other = dataclasses.replace(spec, normalisation=spec.train_normalisation)
    return _normalisation(other, where)


def is_ours(name: str) -> bool:
    """Whether a model name means our own ViT rather than timm's."""
    return name == "vit" or name in VIT_SIZES


def timm_name(name: str) -> str:
    """The name without our ``timm/`` before it."""
    return name.removeprefix("timm/")


def _image_size(spec: ModelSpec, where: str) -> int:
    if spec.image_size is not None:
        return spec.image_size
    if is_ours(spec.name):
        return 224
    return timm_defaults(timm_name(spec.name), where=f"{where}.name").image_size


def _vit(spec: ModelSpec, classes: int, where: str) -> nn.Module:
    if spec.shrinkage is not None:
        raise _no_shrinkage(spec.name, where)
    if spec.decoder is not None:
        raise RecipeError(
            where=f"{where}.decoder",
            what=f"{spec.name} has one scale, and the decoder joins four",
            cure="Use a pyramid, for example pvt_v2_b0 or resnet18.",
        )
    size = _vit_size(spec, where)
    patch_size = 16 if spec.patch_size is None else spec.patch_size
    image_size = _image_size(spec, where)
    check_vit_shape(image_size=image_size, patch_size=patch_size, where=where, **size._asdict())
    return VisionTransformer(
        image_size=image_size,
        patch_size=patch_size,
        classes=classes,
        channels=spec.channels,
        distilled=spec.distilled,
        drop_path=spec.drop_path,
        relative=_one_of(spec.relative, MODES, f"{where}.relative"),
        local=_one_of(spec.local, KINDS, f"{where}.local"),
        **size._asdict(),
    )


def _one_of(value: str | None, known: tuple[str, ...], where: str) -> str | None:
    if value is not None and value not in known:
        raise UnknownNameError(where=where, kind="value", name=value, known=known)
    return value


def _vit_size(spec: ModelSpec, where: str) -> VitSize:
    """Width, depth and heads: the named size's, each replaced by what the block gives."""
    if spec.name == "vit" and spec.width is None:
        cure = "Give a width, for example 96, or choose vit_tiny."
        raise RecipeError(where=f"{where}.width", what="vit has no width of its own", cure=cure)
    width = spec.width if spec.width is not None else VIT_SIZES[spec.name].width
    named = VIT_SIZES.get(spec.name, VitSize(width, 12, max(1, width // 64)))
    depth = spec.depth if spec.depth is not None else named.depth
    heads = spec.heads if spec.heads is not None else named.heads
    return VitSize(width, depth, heads)


def _timm(spec: ModelSpec, classes: int, where: str) -> nn.Module:
    name = timm_name(spec.name)
    timm_defaults(name, where=f"{where}.name")
    for key in _VIT_FIELDS:
        if getattr(spec, key) is not None:
            what = f"{name} is timm's and its {key} is fixed"
            raise RecipeError(where=f"{where}.{key}", what=what, cure="Leave it out.")
    if spec.distilled:
        what = f"{name} is timm's and gets no distillation token"
        cure = "Leave it out, or use vit_tiny, vit_small, vit_base or vit_large."
        raise RecipeError(where=f"{where}.distilled", what=what, cure=cure)
    decoder = _one_of(spec.decoder, ("mlp",), f"{where}.decoder")
    made = TimmModel(
        name,
        classes=0 if decoder else classes,
        image_size=spec.image_size,
        channels=spec.channels,
        drop_path=spec.drop_path,
    )
    gate = _one_of(spec.shrinkage, GATES, f"{where}.shrinkage")
    if gate is not None and not add_shrinkage(made.model, gate=gate):
        raise _no_shrinkage(name, where)
    if decoder is None:
        return made
    check_segmenter(made, image_size=_image_size(spec, where), where=where)
    windows = _windows(spec, where)
    return Segmenter(made, classes=classes, width=spec.decoder_width, windows=windows)


def _windows(spec: ModelSpec, where: str) -> Windows | None:
    """How masks of a larger canvas are made, where the spec names one."""
    size = _image_size(spec, where)
    if spec.canvas is None:
        return None
    if spec.canvas < size:
        raise RecipeError(
            where=f"{where}.canvas",
            what=f"{spec.canvas} pixels are fewer than a window of {size}",
            cure=f"Give more than {size}, or leave it out.",
        )
    if not 0 <= spec.overlap < 1:
        what = f"windows cannot overlap by {spec.overlap}"
        raise RecipeError(where=f"{where}.overlap", what=what, cure="Give 0 to below 1.")
    return Windows(canvas=spec.canvas, window=size, overlap=spec.overlap)


def _no_shrinkage(name: str, where: str) -> RecipeError:
    what = f"{name} has no MobileViT block to put it in"
    cure = "Leave it out, or use mobilevit_xxs, mobilevit_xs or mobilevit_s."
    return RecipeError(where=f"{where}.shrinkage", what=what, cure=cure)


def _normalisation(spec: ModelSpec, where: str) -> Statistics:
    """Mean and std, one value a channel of the backbone."""
    chosen = _named_normalisation(spec, where)
    mean, std = (tuple(float(value) for value in values) for values in chosen)
    if len(mean) != len(std) or len(mean) not in (1, 3):
        what = f"{len(mean)} mean and {len(std)} std values"
        cure = "Give one of each, or three of each."
        raise RecipeError(where=f"{where}.normalisation", what=what, cure=cure)
    if spec.channels == 1:  # the mean over channels of what was meant for three
        return (sum(mean) / len(mean),), (sum(std) / len(std),)
    return (mean * 3, std * 3) if len(mean) == 1 else (mean, std)


def _named_normalisation(spec: ModelSpec, where: str) -> Statistics:
    name = spec.normalisation
    if not isinstance(name, str):
        return name[0], name[1]
    if name == "published" and is_ours(spec.name):
        name = "imagenet" if spec.distilled else "half"
    if name == "published":
        defaults = timm_defaults(timm_name(spec.name), where=f"{where}.name")
        return defaults.mean, defaults.std
    if name in NORMALISATIONS:
        return NORMALISATIONS[name]
    raise RecipeError(
        where=f"{where}.normalisation",
        what=f"no '{name}'",
        cure="Give published, imagenet, half, or a mean and a std.",
    )


def _try_once(network: Network, spec: ModelSpec, where: str) -> None:
    """Find out early whether a timm architecture takes this image size."""
    size, key = network.view_size, f"{where}.image_size"
    model = getattr(network.backbone, "model", None)
    embed = getattr(model, "patch_embed", None)
    patches = getattr(embed, "patch_size", None)
    # PVTv2's patches overlap, and then any size will do; only a plain grid must fit.
    if hasattr(embed, "grid_size") and isinstance(patches, tuple) and size % patches[0]:
        what = f"{size} is not divisible by the patch size {patches[0]} of {spec.name}"
        cure = f"Nearest valid image_size: {nearest_multiple(size, patches[0])}."
        raise RecipeError(where=key, what=what, cure=cure)
    try:
        feature_shapes(network)
    except (AssertionError, RuntimeError, ValueError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RecipeError(
            where=key,
            what=f"{spec.name} cannot take images of {size} pixels ({reason})",
            cure="Leave image_size out to use the published one.",
        ) from error

"""Any timm model behind our contract. The one place that imports timm, and only when asked."""

from __future__ import annotations

import difflib
import os
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from medistill.core.errors import RecipeError, UnknownNameError
from medistill.models.outputs import Outputs


class TimmDefaults(NamedTuple):
    """What the published weights of a timm model expect.

    Attributes:
        image_size: side in pixels.
        mean: one value a channel, in [0, 1] units.
        std: one value a channel.
        published: whether timm knows weights of that name.
    """

    image_size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    published: bool


def load_timm() -> ModuleType:
    """Timm itself, with the telemetry of its hub client switched off."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import timm

    return timm


def check_timm_name(name: str, *, where: str) -> None:
    """Refuse what timm does not know.

    Args:
        name: ``ARCHITECTURE`` or ``ARCHITECTURE.TAG``.
        where: recipe key, for the message.

    Raises:
        RecipeError: unknown name; the nearest are suggested.
    """
    timm = load_timm()
    known = timm.list_pretrained() if "." in name else timm.list_models()
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=3)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise RecipeError(
        where=where,
        what=f"neither medistill nor timm has a model called '{name}'",
        cure=f"{hint}Ours are vit, vit_tiny, vit_small, vit_base and vit_large; timm's are listed "
        "by timm.list_models().",
    )


def timm_defaults(name: str, *, where: str = "model") -> TimmDefaults:
    """What the published weights of a timm model expect; nothing is built or downloaded.

    Raises:
        RecipeError: timm does not know the name.
    """
    check_timm_name(name, where=where)
    config = load_timm().get_pretrained_cfg(name)
    if config is None:
        return TimmDefaults(224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), False)
    return TimmDefaults(
        config.input_size[-1], tuple(config.mean), tuple(config.std), bool(config.has_weights)
    )


class TimmModel(nn.Module):
    """A timm model that returns ``Outputs``; its weights are random until some are loaded.

    Features that ``want`` may name:
        ``stage{i}``: (B, C, H, W), the i-th map of timm's ``forward_intermediates``, which is the
        i of timm's ``out_indices``; the last one of a MobileViT without the convolution that
        widens it for the classifier. ``pooled``: (B, D), what the classifier is given.
        ``tokens.{i}``: (B, N, D) after block i of a plain Transformer, extra tokens first, before
        the last norm.

    The state dict has timm's own names, so published files load and ours load into timm.

    Args:
        name: a timm name; a tag after a dot is accepted and chooses no weights here.
        classes: length of the logits; 0 for none (the logits are then the pooled embedding).
        image_size: side in pixels; None for the published one. Convolutional networks take any.
        channels: input channels.
        drop_path: stochastic depth, where the architecture has it.

    Raises:
        RecipeError: timm does not know the name, or cannot build it like that.
    """

    def __init__(
        self,
        name: str,
        *,
        classes: int,
        image_size: int | None = None,
        channels: int = 3,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        check_timm_name(name, where="model.name")
        self.name, self.classes, self.channels = name, classes, channels
        options: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path else {}
        config = load_timm().get_pretrained_cfg(name)
        if image_size is not None and config is not None and config.fixed_input_size:
            options["img_size"] = image_size
        self.model = _create(name, num_classes=classes, in_chans=channels, **options)
        _start_head_small(self.model)
        self._tokens = hasattr(self.model, "num_prefix_tokens") and hasattr(self.model, "blocks")
        #: Whether the last map of a MobileViT is widened, as a segmentation head takes it.
        self.widened = False
        self.register_state_dict_post_hook(_strip_prefix)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_add_prefix)  # type: ignore[no-untyped-call]

    @property
    def feature_names(self) -> frozenset[str]:
        """Every name that ``want`` may hold."""
        if not hasattr(self.model, "forward_intermediates"):
            return frozenset({"pooled"})
        kinds = ("stage{}", "tokens.{}") if self._tokens else ("stage{}",)
        count = len(self.model.feature_info)
        return frozenset({"pooled"} | {kind.format(i) for kind in kinds for i in range(count)})

    @property
    def widths(self) -> list[int]:
        """Channels of ``stage0``, ``stage1`` and so on."""
        info = self.model.feature_info
        widths = [info[index]["num_chs"] for index in range(len(info))]
        widening = _widening(self.model)
        return widths if self.widened or not widening else [*widths[:-1], widening.in_channels]

    def forward(self, x: Tensor, want: frozenset[str] = frozenset()) -> Outputs:
        """Logits and wanted features of normalised images (B, C, S, S).

        Raises:
            UnknownNameError: ``want`` holds a name that is not in ``feature_names``.
        """
        for name in sorted(want - self.feature_names):
            raise UnknownNameError(
                where=f"timm/{self.name}", kind="feature", name=name, known=self.feature_names
            )
        features, last = self._intermediates(x, want)
        if "pooled" in want:
            features["pooled"] = self.model.forward_head(last, pre_logits=True)
        return Outputs(self.model.forward_head(last), {name: features[name] for name in want})

    def _intermediates(self, x: Tensor, want: frozenset[str]) -> tuple[dict[str, Tensor], Tensor]:
        """Maps and tokens of the wanted blocks by name, and what the head is given."""
        indices = sorted({_index(name) for name in want if name != "pooled"})
        if not indices:
            return {}, self.model.forward_features(x)
        extra = {"return_prefix_tokens": True} if self._tokens else {}
        if _widening(self.model) and not self.widened:
            extra["exclude_final_conv"] = True
        last, maps = self.model.forward_intermediates(x, indices=indices, **extra)
        features: dict[str, Tensor] = {}
        for index, value in zip(indices, maps, strict=True):
            image, prefix = value if isinstance(value, tuple) else (value, None)
            features[f"stage{index}"] = image
            rows = image.flatten(2).transpose(1, 2)
            features[f"tokens.{index}"] = rows if prefix is None else torch.cat([prefix, rows], 1)
        return features, last


def _create(name: str, **options: Any) -> Any:
    try:
        return load_timm().create_model(name, pretrained=False, **options)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        given = ", ".join(f"{key}={value}" for key, value in options.items())
        raise RecipeError(
            where=f"timm/{name}",
            what=f"timm cannot build it with {given} ({error})",
            cure="Leave these values at their defaults, or choose another model.",
        ) from error


def _widening(model: Any) -> Any:
    """MobileViT's convolution before the classifier, which timm counts to the last stage."""
    return getattr(getattr(model, "final_conv", None), "conv", None)


def _start_head_small(model: Any) -> None:
    """Draw a new linear head so small that its first logits are near zero.

    timm draws EfficientNet's with a deviation that falls with the number of classes; for two
    classes the first losses are then 3 to 5 nats, and fine-tuning spoils published features.
    """
    head = model.get_classifier()
    if isinstance(head, nn.Linear):
        nn.init.trunc_normal_(head.weight, std=0.01)
        if head.bias is not None:
            nn.init.zeros_(head.bias)


def _index(name: str) -> int:
    return int(name.removeprefix("stage").removeprefix("tokens."))


def _strip_prefix(module: nn.Module, state: dict[str, Any], prefix: str, _metadata: Any) -> None:
    """The wrapped model's own names in the state dict."""
    for key in [key for key in state if key.startswith(f"{prefix}model.")]:
        state[prefix + key.removeprefix(f"{prefix}model.")] = state.pop(key)


def _add_prefix(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Undoes ``_strip_prefix`` before PyTorch looks for the wrapped model's names."""
    for key in [key for key in state if key.startswith(prefix)]:
        state[f"{prefix}model.{key.removeprefix(prefix)}"] = state.pop(key)

"""Putting weights into a model, with a proof of what was loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from medistill.core.errors import WeightsError
from medistill.core.files import sha256_file
from medistill.models.network import Network
from medistill.models.plain import beyond_plain, has_decoder
from medistill.models.positions import grid_side, resize_positions
from medistill.models.published import CURE, published_weights, require_reachable
from medistill.models.segmentation import Segmenter
from medistill.models.state_names import unwrapped, without_pretraining
from medistill.models.timm_bridge import TimmModel
from medistill.models.vit import VIT_SIZES, VisionTransformer
from medistill.models.weight_file import read_weights, save_weights

__all__ = [
    "WeightsProof",
    "fit_weights",
    "load_published",
    "load_weights",
    "published_weights",
    "require_published",
    "save_weights",
    "state_hash",
]

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class WeightsProof:
    """What was loaded; as text "412 of 412 tensors, sha256 ...".

    Attributes:
        loaded: tensors of the model that were set.
        total: tensors that the model has.
        sha256: of the file, or of the tensors where there is no file.
        source: name of the file or of the published model.
        notes: what was changed or left out on the way.
        whole: whether no part of the model, such as its classifier, was left as initialised.
    """

    loaded: int
    total: int
    sha256: str
    source: str
    notes: tuple[str, ...] = ()
    whole: bool = True

    def __str__(self) -> str:
        text = f"{self.loaded} of {self.total} tensors, sha256 {self.sha256}"
        return "; ".join([text, *self.notes])


def load_weights(
    module: nn.Module, path: Path, *, ignore_head: bool = False, plain: bool = False
) -> WeightsProof:
    """Load a weights file.

    Position embeddings are resized to the model's image size. A three-channel patch embedding or
    first convolution is summed over its channels for a model that takes one, which shows a gray
    image to it as three equal channels would.

    Args:
        module: a backbone, or a network (its backbone is meant).
        path: see ``read_weights``.
        ignore_head: leave classifiers of another number of classes out, and say so.
        plain: take weights of the plain model too, which lack relative positions, local parts,
            shrinkage or a decoder; these are left as initialised, and the proof says so.

    Raises:
        WeightsError: unreadable, refused, or not fitting (the tensors are named); the model is
            then unchanged.
    """
    notes: list[str] = []
    state = read_weights(path, notes)
    proof = fit_weights(module, state, source=path.name, ignore_head=ignore_head, plain=plain)
    return replace(proof, sha256=sha256_file(path), notes=(*notes, *proof.notes))


def load_published(
    module: nn.Module, model_name: str, *, ignore_head: bool = True, cure: str = CURE
) -> WeightsProof:
    """Load the weights published for a model.

    Args:
        module: a backbone, or a network.
        model_name: as in the recipe: ``vit_tiny`` to ``vit_large`` (timm's weights of that size,
            DeiT's when distilled), or a timm name.
        ignore_head: leave classifiers of another number of classes out, and say so.
        cure: what an error says to do where they cannot be had.

    Raises:
        WeightsError: nothing was published, or it cannot be reached.
    """
    backbone = _backbone(module)
    name = _published_name(backbone, model_name, cure)
    state = published_weights(name, cure=cure)
    source = f"published {name}"
    return fit_weights(module, state, source=source, ignore_head=ignore_head, plain=True)


def require_published(module: nn.Module, model_name: str, *, cure: str = CURE) -> None:
    """Refuse what :func:`load_published` would find nowhere; fetch nothing.

    Raises:
        WeightsError: as :func:`load_published`.
    """
    backbone = _backbone(module)
    backbone = backbone.encoder if isinstance(backbone, Segmenter) else backbone
    require_reachable(_published_name(backbone, model_name, cure), cure=cure)


def fit_weights(
    module: nn.Module,
    state: Mapping[str, Tensor],
    *,
    source: str,
    ignore_head: bool = False,
    plain: bool = False,
) -> WeightsProof:
    """Load tensors by name, whatever wrappers put before it; see ``load_weights``.

    Raises:
        WeightsError: the tensors do not fit, or hold values that are not finite.
    """
    backbone = _backbone(module)
    if plain and isinstance(backbone, Segmenter) and not has_decoder(state):
        return _fit_encoder(backbone.encoder, state, source)
    own: dict[str, Tensor] = backbone.state_dict()
    notes: list[str] = []
    named = without_pretraining(unwrapped(state, own, notes), own, notes)
    given = _sum_channels(_resize(named, backbone, own, notes), own, notes)
    left_out = _other_heads(given, backbone, own) if ignore_head else set()
    if left_out:
        notes.append(f"classifier left as initialised: {', '.join(sorted(left_out))}")
    beyond = left_out | (beyond_plain(backbone, given, own, notes) if plain else set())
    misfits = _misfits(
        {key: value for key, value in given.items() if key not in beyond},
        {key: value for key, value in own.items() if key not in beyond},
    )
    if misfits:
        raise WeightsError(
            where=source,
            what=f"does not fit the model: {'; '.join(misfits)}",
            cure="Give weights of the same architecture and sizes.",
        )
    fitting = {key: given[key] for key in own if key not in beyond}
    _require_finite(fitting, source)
    backbone.load_state_dict({**own, **fitting})
    return WeightsProof(
        loaded=len(fitting),
        total=len(own),
        sha256=_digest(sorted(state.items())),
        source=source,
        notes=tuple(notes),
        whole=not beyond & own.keys(),
    )


def _fit_encoder(encoder: TimmModel, state: Mapping[str, Tensor], source: str) -> WeightsProof:
    """The encoder's weights; no classifier, and the decoder stays new."""
    proof = fit_weights(encoder, state, source=source, ignore_head=True, plain=True)
    return replace(proof, whole=False, notes=(*proof.notes, "decoder left as initialised"))


def state_hash(module: nn.Module) -> str:
    """SHA-256 over names, types, shapes and bytes of all parameters and buffers.

    Buffers that a state dict leaves out (a network's normalisation) count too.
    """
    named = [*module.named_parameters(), *module.named_buffers()]
    return _digest(sorted(named, key=lambda pair: pair[0]))


def _digest(named: Iterable[tuple[str, Tensor]]) -> str:
    digest = hashlib.sha256()
    for name, value in named:
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        flat = value.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _backbone(module: nn.Module) -> nn.Module:
    return module.backbone if isinstance(module, Network) else module


def _published_name(backbone: nn.Module, model_name: str, cure: str) -> str:
    """The timm name whose weights fit our ViT of that size."""
    if not isinstance(backbone, VisionTransformer):
        return model_name
    if model_name not in VIT_SIZES:
        raise WeightsError(
            where=model_name,
            what="no weights are published for a ViT of one's own sizes",
            cure=cure,
        )
    if backbone.distilled:
        return f"deit{model_name.removeprefix('vit')}_distilled_patch{backbone.patch_size}_224"
    return f"{model_name}_patch{backbone.patch_size}_224"


def _resize(
    state: dict[str, Tensor], backbone: nn.Module, own: Mapping[str, Tensor], notes: list[str]
) -> dict[str, Tensor]:
    """Position embeddings of another grid, resampled."""
    model: Any = backbone.model if isinstance(backbone, TimmModel) else backbone
    given, wanted = state.get("pos_embed"), own.get("pos_embed")
    if given is None or wanted is None or given.shape[0::2] != wanted.shape[0::2]:
        return state
    # PiT and VOLO keep theirs as a map of one size; another size is told as a misfit.
    if given.dim() != 3 or not hasattr(model, "num_prefix_tokens"):
        return state
    prefix = 0 if getattr(model, "no_embed_class", False) else model.num_prefix_tokens
    before = grid_side(given.shape[1], prefix=prefix)
    after = grid_side(wanted.shape[1], prefix=prefix)
    if before is None or after is None or before == after:
        return state
    notes.append(f"position embeddings resized from {before}x{before} to {after}x{after}")
    return {**state, "pos_embed": resize_positions(given, side=after, prefix=prefix)}


def _sum_channels(
    state: dict[str, Tensor], own: Mapping[str, Tensor], notes: list[str]
) -> dict[str, Tensor]:
    """Filters on three channels, as filters on one that all three equal."""
    for key, value in state.items():
        wanted = own.get(key)
        if wanted is None or value.dim() != 4 or wanted.dim() != 4:
            continue
        if value.shape[1] == 3 and wanted.shape == (value.shape[0], 1, *value.shape[2:]):
            state[key] = value.sum(dim=1, keepdim=True)
            notes.append(f"{key} summed over its three channels")
    return state


def _other_heads(
    state: Mapping[str, Tensor], backbone: nn.Module, own: Mapping[str, Tensor]
) -> set[str]:
    """Names of classifier tensors that the weights lack, or have for other classes."""
    heads: Any = ("head", "head_dist")
    if isinstance(backbone, TimmModel):
        named: Any = backbone.model
        heads = named.pretrained_cfg.get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    keys = {f"{head}.{kind}" for head in heads for kind in ("weight", "bias")}
    keys &= state.keys() | own.keys()
    return {key for key in keys if key not in own or not _fits(state.get(key), own[key])}


def _fits(given: Tensor | None, wanted: Tensor) -> bool:
    return given is not None and given.shape == wanted.shape


def _misfits(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> list[str]:
    """What does not fit, by kind, the first few of each named."""
    missing = [key for key in own if key not in state]
    unexpected = [key for key in state if key not in own]
    shaped = [
        f"{key} {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"
        for key in own
        if key in state and not _fits(state[key], own[key])
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "of another shape": shaped}
    return [f"{len(names)} {kind} ({_first(names)})" for kind, names in kinds.items() if names]


def _first(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _require_finite(state: Mapping[str, Tensor], source: str) -> None:
    broken = [key for key, value in state.items() if not bool(value.isfinite().all())]
    if broken:
        raise WeightsError(
            where=source,
            what=f"{len(broken)} tensors hold values that are not finite ({_first(broken)})",
            cure="The training that wrote them diverged; give other weights.",
        )

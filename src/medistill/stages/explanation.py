"""Where teacher and student look on *evaluate*, with tests of whether to believe it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from medistill.evaluate.intervals import Scale
from medistill.evaluate.shares import Clusters, clusters, mean
from medistill.explain.maps import explain_batch, map_names
from medistill.explain.overlay import overlay
from medistill.explain.sanity import (
    agreement,
    centre_points_at,
    deletion_insertion,
    mask_shares,
    points_at,
    randomised,
    tolerant,
)
from medistill.imaging.resize import render
from medistill.models.network import Network
from medistill.report.explained import Explained
from medistill.report.pictures import Picture
from medistill.stages.data import Prepared
from medistill.stages.explained_models import ShownModel
from medistill.stages.explained_rows import choose_rows, explained_class

MOST = 64
AREAS = 16
SHOWN = 4
BATCH = 16
NO_MASKS = "These images have no lesion masks, so where a map should point is not known."


@dataclass(frozen=True, kw_only=True, eq=False)
class _Asked:
    """Images at one network's size, and what is asked of them."""

    images: Tensor
    classes: Tensor
    masks: NDArray[np.bool_] | None
    exclusive: bool


def explain(
    prepared: Prepared, rows: Sequence[int], models: Mapping[str, ShownModel]
) -> Explained | None:
    """Maps, overlays and sanity measures of networks on some rows of *evaluate*.

    At most 64 images, one a group, the classes in turns (see ``choose_rows``). The class that is
    explained is the true one, or the rarest label of the image. Deletion and insertion are measured
    on the first 16, and the first 4 are shown.

    Args:
        prepared: the data stage.
        rows: of the part *evaluate*.
        models: by role; each is asked at its own size. None of them is changed.

    Returns:
        None for masks, which say themselves where.
    """
    if prepared.images.task == "segmentation" or not models:
        return None
    chosen = choose_rows(prepared, rows, MOST)
    if not chosen:
        return None
    drawn = clusters(
        [prepared.images.samples[row].group for row in chosen], word=prepared.images.group_word
    )
    found, maps, asked = {}, {}, {}
    for role, model in models.items():
        network = model.network.eval()
        asked[role] = _ask(prepared, chosen, network)
        maps[role] = _maps(network, asked[role])
        found[role] = _measures(network, asked[role], maps[role], drawn)
    first, titles = asked[next(iter(models))], {role: m.title for role, m in models.items()}
    values = {
        "images": len(chosen),
        "images_per_class": _per_class(prepared, chosen),
        "areas_per_class": _per_class(prepared, chosen[:AREAS]),
        "models": found,
        "titles": titles,
        **_shared(first.masks, drawn),
        "agreement": _agreement(maps, drawn),
    }
    return Explained(values=values, sheet=_sheet(prepared, chosen, asked, maps, titles))


def _per_class(prepared: Prepared, rows: Sequence[int]) -> dict[str, int]:
    """How many images are explained for each class."""
    found = Counter(explained_class(prepared, row) for row in rows)
    return {name: found[number] for number, name in enumerate(prepared.images.classes)}


def _ask(prepared: Prepared, rows: Sequence[int], network: Network) -> _Asked:
    seen, samples = network.preprocessing, prepared.images.samples
    pictures = [render(prepared.store[row], size=seen.size, fit=seen.fit) for row in rows]
    masks = [samples[row].mask for row in rows]
    read = None
    # A mask that has been moved away since costs the pointing game, not the report.
    if all(mask is not None and mask.is_file() for mask in masks):
        read = tolerant(np.stack([_mask(mask, seen.size, seen.fit) for mask in masks]))
    return _Asked(
        images=torch.from_numpy(np.stack(pictures)),
        classes=torch.tensor([explained_class(prepared, row) for row in rows]),
        masks=read,
        exclusive=prepared.images.task == "single-label",
    )


def _mask(path: Any, size: int, fit: Any) -> NDArray[np.bool_]:
    """Any finding, placed as the network sees the image."""
    with Image.open(path) as picture:
        found = (np.asarray(picture) > 0).astype(np.uint16) * np.uint16(65535)
    return np.asarray(render(found, size=size, fit=fit)[0] > 0.5)


def _batched(asked: _Asked, act: Callable[[Tensor, Tensor], Any]) -> Iterable[Any]:
    for start in range(0, len(asked.images), BATCH):
        part = slice(start, start + BATCH)
        yield act(asked.images[part], asked.classes[part])


def _maps(network: Network, asked: _Asked) -> dict[str, Tensor]:
    parts = list(_batched(asked, lambda x, c: explain_batch(network, x, c)))
    return {name: torch.cat([part[name] for part in parts]) for name in map_names(network)}


def _measures(
    network: Network, asked: _Asked, maps: Mapping[str, Tensor], drawn: Clusters
) -> dict[str, Any]:
    shuffled = _maps(randomised(network), asked)
    noise = torch.rand(maps[next(iter(maps))].shape, generator=torch.Generator().manual_seed(0))
    plain = _areas(network, asked, noise)
    return {
        name: _of_map(network, asked, heat, shuffled[name], plain, drawn)
        for name, heat in maps.items()
    }


def _of_map(
    network: Network,
    asked: _Asked,
    heat: Tensor,
    shuffled: Tensor,
    plain: tuple[NDArray[np.float64], NDArray[np.float64]],
    drawn: Clusters,
) -> dict[str, Any]:
    deleted, inserted = _areas(network, asked, heat)
    values = {
        "deletion": deleted,
        "deletion_random": plain[0],
        "insertion": inserted,
        "insertion_random": plain[1],
    }
    found = {name: _mean(value, drawn) for name, value in values.items()}
    found["randomised"] = _mean(agreement(heat, shuffled), drawn, scale="difference")
    if asked.masks is not None:
        for name, each in (("pointing", heat), ("pointing_randomised", shuffled)):
            hits = points_at(each, asked.masks).astype(np.float64)
            found[name] = _mean(hits, drawn)
    return found


def _mean(values: NDArray[np.float64], drawn: Clusters, scale: Scale = "unit") -> dict[str, Any]:
    """With the number of images that count, which is not the same for every measure."""
    return {"n": int(np.isfinite(values).sum()), **mean(values, None, drawn, scale=scale).to_json()}


def _areas(
    network: Network, asked: _Asked, heat: Tensor
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Deletion and insertion of the first images; NaN for the others, which then do not count.

    Each costs dozens of forward passes, and the teacher's are slow.
    """
    few = slice(0, AREAS)
    found = deletion_insertion(
        network,
        asked.images[few],
        heat[few],
        asked.classes[few],
        exclusive=asked.exclusive,
    )
    rest = np.full(max(0, len(asked.images) - AREAS), np.nan)
    return np.concatenate([found[0], rest]), np.concatenate([found[1], rest])


def _shared(masks: NDArray[np.bool_] | None, drawn: Clusters) -> dict[str, Any]:
    if masks is None:
        return {"note": NO_MASKS}
    centre = centre_points_at(masks).astype(np.float64)
    return {
        "pointing_centre": _mean(centre, drawn),
        "pointing_chance": _mean(mask_shares(masks), drawn),
    }


def _agreement(maps: Mapping[str, Mapping[str, Tensor]], drawn: Clusters) -> dict[str, Any] | None:
    """Rank correlation of teacher and student by the best method that both allow."""
    if not {"teacher", "student"} <= set(maps):
        return None
    both = [name for name in maps["student"] if name in maps["teacher"]]
    if not both:
        return None
    ranks = agreement(maps["teacher"][both[0]], maps["student"][both[0]])
    return _mean(ranks, drawn, scale="difference")


def _sheet(
    prepared: Prepared,
    rows: Sequence[int],
    asked: Mapping[str, _Asked],
    maps: Mapping[str, Mapping[str, Tensor]],
    titles: Mapping[str, str],
) -> tuple[tuple[Picture, ...], ...]:
    """A few images, each beside the maps of every model."""
    lines = []
    for place, row in enumerate(rows[:SHOWN]):
        sample = prepared.images.samples[row]
        label = prepared.images.classes[int(asked[next(iter(asked))].classes[place])]
        plain = render(prepared.store[row], size=192, fit="pad")
        line = [
            Picture(
                pixels=overlay(plain, np.zeros(plain.shape[1:])), caption=label, detail=sample.name
            )
        ]
        line += [
            Picture(
                pixels=overlay(asked[role].images[place].numpy(), heat[place].numpy()),
                caption=f"{titles[role].capitalize()}, {name}",
            )
            for role, found in maps.items()
            for name, heat in found.items()
        ]
        lines.append(tuple(line))
    return tuple(lines)

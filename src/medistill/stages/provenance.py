"""Where everything in a run came from, how long it took and about how much energy that was."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from medistill.bundle.bundle import Bundle
from medistill.core.files import sha256_file, sha256_json
from medistill.core.run_folder import MANIFEST, read_manifest
from medistill.core.runtime import hardware_summary
from medistill.models.weights import state_hash
from medistill.recipe import dump_recipe
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.starts import starts
from medistill.stages.student import open_student, stage_name

LIBRARIES = ("medistill", "torch", "timm", "lightning-fabric", "onnxruntime", "numpy", "scipy")
#: Power that is assumed for one busy processor core with its share of memory and supply, in watts.
WATTS_PER_THREAD = 15.0


def provenance_of(context: Context, prepared: Prepared) -> dict[str, Any]:
    """Of a run: what made it, versions, hardware, time and energy, ready for JSON."""
    seconds, here = _seconds(context), _here()
    return {
        **made_from(context, prepared),
        **here,
        "seconds": seconds,
        "energy_estimate": energy_estimate(sum(seconds.values()), int(here["hardware"]["threads"])),
    }


def made_from(context: Context, prepared: Prepared) -> dict[str, Any]:
    """Recipe, data, weights and seeds of a run's models, the same wherever they are judged.

    ``weights`` are SHA-256 of the files of students and controls; ``tensors`` are of what the files
    hold with the buffers of the network, as a bundle calls its ``student``.
    """
    recipe, folds = context.recipe, context.folds()
    return {
        "recipe": sha256_json(dump_recipe(recipe)),
        "data": prepared.store.data_hash,
        "layout": prepared.images.name,
        "teacher": [
            context.run.outputs(f"{context.scope(fold)}teacher")["weights_hash"] for fold in folds
        ],
        "start": starts(recipe),
        "weights": _weights(context),
        "tensors": _tensors(context, prepared),
        "seeds": {
            "parts": recipe.data.seed,
            "training": recipe.train.seed,
            "repeats": recipe.seeds,
        },
        "exact": recipe.train.exact,
        "removed": prepared.removed,
        "unlabelled": len(prepared.unlabelled[folds[0]].rows),
    }


def bundle_origin(bundle: Bundle) -> dict[str, Any]:
    """What a bundle says of its making, and the hash that seals it."""
    return {"bundle": bundle.identity, **dataclasses.asdict(bundle.manifest.provenance)}


def judged_on(origin: Mapping[str, Any], other: Prepared) -> dict[str, Any]:
    """What made a model, and under ``evaluated`` the other set and what judged it there."""
    own = {"data": other.store.data_hash, "layout": other.images.name}
    return {**origin, "evaluated": {**own, **_here()}}


def _here() -> dict[str, Any]:
    """Versions of libraries and hardware of this process."""
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return {"versions": versions, "hardware": hardware_summary()}


def energy_estimate(seconds: float, threads: int) -> str:
    """Energy in watt-hours if every thread was busy all the time, with its assumption in words."""
    hours = seconds * threads * WATTS_PER_THREAD / 3600
    busy = f"{threads} thread{'' if threads == 1 else 's'}"
    return (
        f"about {hours:.3g} Wh, if {busy} drew {WATTS_PER_THREAD:.0f} W each for "
        f"{seconds:.0f} s; not measured"
    )


def _seconds(context: Context) -> dict[str, float]:
    """Wall time of every finished stage by name."""
    found = {}
    for path in sorted(context.run.path.rglob(MANIFEST)):
        document = read_manifest(path.parent) or {}
        if "seconds" in document and "stage" in document and document["stage"] != "evaluation":
            found[str(document["stage"])] = float(document["seconds"])
    return found


def _weights(context: Context) -> dict[str, str]:
    """SHA-256 of the weights file of every student and control."""
    found = {}
    for pupil in _pupils(context):
        name = stage_name(context, *pupil)
        found[name] = sha256_file(context.run.stage(name) / "weights.safetensors")
    return found


def _tensors(context: Context, prepared: Prepared) -> dict[str, str]:
    """SHA-256 of weights and buffers of every student and control."""
    return {
        stage_name(context, *pupil): state_hash(open_student(context, prepared, *pupil))
        for pupil in _pupils(context)
    }


def _pupils(context: Context) -> Iterator[tuple[int, int, str]]:
    """Fold, seed and role of every student and control."""
    return product(context.folds(), range(context.recipe.seeds), ("student", "control"))

"""Where everything in a run came from, how long it took and about how much energy that was."""

from __future__ import annotations

import importlib.metadata
from typing import Any

from medistill.core.files import read_json, sha256_file, sha256_json
from medistill.core.run_folder import MANIFEST
from medistill.core.runtime import hardware_summary
from medistill.recipe import dump_recipe
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.starts import starts
from medistill.stages.student import stage_name

LIBRARIES = ("medistill", "torch", "timm", "lightning-fabric", "onnxruntime", "numpy", "scipy")
#: Power that is assumed for one busy processor core with its share of memory and supply, in watts.
WATTS_PER_THREAD = 15.0


def provenance_of(context: Context, prepared: Prepared) -> dict[str, Any]:
    """Recipe, data, weights, seeds, versions, hardware, time and energy, ready for JSON."""
    recipe, folds = context.recipe, context.folds()
    seconds = _seconds(context)
    hardware = hardware_summary()
    return {
        "recipe": sha256_json(dump_recipe(recipe)),
        "data": prepared.store.data_hash,
        "layout": prepared.images.name,
        "teacher": [
            context.run.outputs(f"{context.scope(fold)}teacher")["weights_hash"] for fold in folds
        ],
        "start": starts(recipe),
        "weights": _weights(context),
        "seeds": {
            "parts": recipe.data.seed,
            "training": recipe.train.seed,
            "repeats": recipe.seeds,
        },
        "exact": recipe.train.exact,
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "hardware": hardware,
        "seconds": seconds,
        "energy_estimate": energy_estimate(sum(seconds.values()), int(hardware["threads"])),
        "removed": prepared.removed,
        "unlabelled": len(prepared.unlabelled[folds[0]].rows),
    }


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
        document = read_json(path)
        if "seconds" in document and "stage" in document and document["stage"] != "evaluation":
            found[str(document["stage"])] = float(document["seconds"])
    return found


def _weights(context: Context) -> dict[str, str]:
    """SHA-256 of the weights file of every student and control."""
    found = {}
    for fold in context.folds():
        for seed in range(context.recipe.seeds):
            for role in ("student", "control"):
                name = stage_name(context, fold, seed, role)
                found[name] = sha256_file(context.run.stage(name) / "weights.safetensors")
    return found

"""Read-only tables of the names that a recipe or a command may use.

A value is ``module:attribute`` and is imported when it is asked for, so that listing names needs
nothing but the base install.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module, resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from medistill.core.errors import RecipeError, UnknownNameError

METHODS: Mapping[str, str] = MappingProxyType(
    {
        "affinity": "medistill.methods.affinity:Affinity",
        "deit": "medistill.methods.deit:DeiT",
        "deit_cxr": "medistill.methods.deit_cxr:DeiTCXR",
        "dist": "medistill.methods.dist:Dist",
        "dkd": "medistill.methods.dkd:DKD",
        "drpl_vit": "medistill.methods.drpl_vit:DRPLViT",
        "embedding": "medistill.methods.embedding:Embedding",
        "hinton": "medistill.methods.hinton:Hinton",
        "kdvit": "medistill.methods.kdvit:KDViT",
        "locality": "medistill.methods.locality:Locality",
        "multi_label": "medistill.methods.multi_label:MultiLabel",
        "nkd": "medistill.methods.nkd:NKD",
        "ofa": "medistill.methods.ofa:OFA",
        "rms_net": "medistill.methods.rms_net:RMSNet",
        "rskd": "medistill.methods.rskd:RSKD",
        "supervised": "medistill.methods.supervised:Supervised",
        "supervised_labels": "medistill.methods.supervised_labels:SupervisedLabels",
        "supervised_masks": "medistill.methods.supervised_masks:SupervisedMasks",
        "vitkd": "medistill.methods.vitkd:ViTKD",
        "vkd": "medistill.methods.vkd:VkD",
    }
)


def resolve(table: Mapping[str, str], name: str, *, kind: str, where: str) -> Any:
    """Import the object that a name stands for.

    Raises:
        UnknownNameError: no such name; the nearest is suggested.
    """
    if name not in table:
        raise UnknownNameError(where=where, kind=kind, name=name, known=table)
    module, _, attribute = table[name].partition(":")
    return getattr(import_module(module), attribute)


def recipes() -> dict[str, Path]:
    """Shipped recipes by name."""
    folder = Path(str(resources.files("medistill") / "recipes"))
    found = {path.stem: path for path in folder.glob("*.yaml")}
    return {name: found[name] for name in sorted(found)}


def recipe_path(name: str) -> Path:
    """File of a shipped recipe, or of one's own when ``name`` is a path to a YAML file.

    Raises:
        RecipeError: there is no such file.
        UnknownNameError: neither.
    """
    own = Path(name)
    written = own.suffix in {".yaml", ".yml"}
    if written and own.is_file():
        return own
    if written or {"/", os.sep} & set(name):
        raise RecipeError(
            where=name,
            what="is no YAML file (.yaml, .yml)" if own.exists() else "there is no such file",
            cure="Check the path, or give a name that 'medistill recipes' lists.",
        )
    known = recipes()
    if name not in known:
        raise UnknownNameError(where="RECIPE", kind="recipe", name=name, known=known)
    return known[name]

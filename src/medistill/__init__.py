"""medistill: distil a large vision model into a small Vision Transformer, and prove it helped.

The names below are the commands for Python, and what predicts; ``docs/python.md`` shows their use.

Example:
    >>> import medistill
    >>> recipe = medistill.open_recipe("kdvit-small-cnn", overrides=("train.epochs=5",))
    >>> recipe.train.epochs
    5
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Imported when first asked for, so that importing medistill loads no torch. No name is a package's
# (evaluate, export), whose import would put it in the place of the function.
_PUBLIC = {
    "Predictor": "medistill.serve.predictor:Predictor",
    "demo": "medistill.stages.run:demo",
    "distill": "medistill.stages.run:distill",
    "evaluate_on": "medistill.stages.external:evaluate",
    "export_run": "medistill.stages.run:export",
    "open_bundle": "medistill.bundle.bundle:open_bundle",
    "open_recipe": "medistill.stages.run:open_recipe",
    "run": "medistill.stages.run:run",
    "teach": "medistill.stages.run:teach",
}

__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'medistill' has no attribute '{name}'")
    module, _, attribute = _PUBLIC[name].partition(":")
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)

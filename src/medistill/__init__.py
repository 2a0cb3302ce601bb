"""medistill: distil a large vision model into a small Vision Transformer, and prove it helped."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Stages by name; imported when first asked for, so that importing medistill loads no torch.
_STAGES = {
    "demo": "medistill.stages.run",
    "distill": "medistill.stages.run",
    "evaluate": "medistill.stages.external",
    "export": "medistill.stages.run",
    "predict": "medistill.serve.predictor",
    "run": "medistill.stages.run",
    "teach": "medistill.stages.run",
}

__all__ = ["__version__", *sorted(_STAGES)]


def __getattr__(name: str) -> Any:
    if name not in _STAGES:
        raise AttributeError(f"module 'medistill' has no attribute '{name}'")
    return getattr(import_module(_STAGES[name]), name)

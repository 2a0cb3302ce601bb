"""What a command needs besides the base install."""

from __future__ import annotations

from importlib.util import find_spec

from medistill.core.errors import MissingExtraError


def need_train(command: str) -> None:
    """Say in one sentence which extra a command lacks."""
    needed = ("torch", "timm", "lightning_fabric", "sklearn", "scipy", "matplotlib")
    if any(find_spec(name) is None for name in needed):
        raise MissingExtraError(command=f"medistill {command}", extra="train")

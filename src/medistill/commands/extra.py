"""What a command needs besides the base install."""

from __future__ import annotations

from importlib.util import find_spec

from medistill.core.errors import MissingExtraError


def need_train(command: str) -> None:
    """Say in one sentence that a command lacks the extra ``train``."""
    _need(command, "train", "torch", "timm", "lightning_fabric", "sklearn", "scipy", "matplotlib")


def need_check(command: str) -> None:
    """Say in one sentence that a command lacks the extra ``check``, which brings no torch."""
    _need(command, "check", "imagehash", "jinja2", "sklearn", "scipy", "xxhash")


def _need(command: str, extra: str, *modules: str) -> None:
    if any(find_spec(name) is None for name in modules):
        raise MissingExtraError(command=f"medistill {command}", extra=extra)

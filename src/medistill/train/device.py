"""The one device that all networks of a run compute on."""

from __future__ import annotations

import torch


def run_device() -> torch.device:
    """The device of every network of a run, whether it learns, is asked, explained or timed.

    The first CUDA device, else Apple's, else the processor. Fabric is given this choice, so that
    trainings and whoever asks a network outside of one agree.
    """
    if torch.cuda.is_available():
        return torch.device("cuda", 0)
    if torch.backends.mps.is_available():
        return torch.device("mps", 0)
    return torch.device("cpu")

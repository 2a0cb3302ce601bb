"""What changes while a network trains, and how it goes to disk and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from medistill.models.network import Network
from medistill.train.checkpoint import (
    Checkpoint,
    cpu_copy,
    load_checkpoint,
    remove_leftovers,
    save_checkpoint,
    save_weights,
)
from medistill.train.ema import Ema
from medistill.train.history import Row
from medistill.train.optimiser import make_optimiser
from medistill.train.selection import Best, Which, is_better
from medistill.train.settings import SelectBy, TrainSettings
from medistill.train.trainee import Trainee

if TYPE_CHECKING:
    from lightning_fabric import Fabric

CHECKPOINT, BEST, WEIGHTS = "last.pt", "best.safetensors", "weights.safetensors"

Score = Callable[[Network], Mapping[str, float]]


@dataclass(kw_only=True)
class TrainState:
    """A training between two epochs.

    Attributes:
        folder: where its files are.
        fingerprint: what it is made of.
        fabric: device and precision.
        trainee: network and adapters.
        module: the trainee as Fabric wrapped it; called instead of the trainee.
        optimiser: as Fabric wrapped it.
        ema: moving average of the network, or None.
        epoch: epochs done.
        best: the best checkpoint so far, or None before the first.
        rows: one history row for each epoch done.
    """

    folder: Path
    fingerprint: Mapping[str, str]
    fabric: Fabric
    trainee: Trainee
    module: Any
    optimiser: Any
    ema: Ema[Network] | None
    epoch: int = 0
    best: Best | None = None
    rows: tuple[Row, ...] = ()

    def stopped(self, patience: int | None) -> bool:
        """Whether ``patience`` epochs have passed without a better checkpoint."""
        if patience is None or self.best is None:
            return False
        return self.epoch - self.best.epoch >= patience

    def validate(self, score: Score, by: SelectBy) -> dict[str, float]:
        """Score the trained weights and their average, and keep the better if it is the best.

        Returns:
            The part of a history row named ``select.raw.*`` and ``select.ema.*``.
        """
        columns: dict[str, float] = {}
        for which, network in self._candidates().items():
            scores = self._scores(network, score)
            columns |= {f"select.{which}.{name}": value for name, value in scores.items()}
            if is_better(scores, self.best.scores if self.best else None, by=by):
                self.best = Best(self.epoch, which, scores, cpu_copy(network.backbone))
        return columns

    def save(self) -> None:
        """Commit the state to ``last.pt``, then the weights derived from it.

        Raises:
            RunFolderError: the disk refuses; the previous checkpoint stays.
        """
        if self.best is None:
            return
        checkpoint = Checkpoint(
            fingerprint=self.fingerprint,
            epoch=self.epoch,
            trainee=self.trainee.state_dict(),
            optimiser=self.optimiser.state_dict(),
            ema=self.ema.network.state_dict() if self.ema else None,
            best=self.best,
            rows=self.rows,
        )
        save_checkpoint(self.folder / CHECKPOINT, checkpoint)
        if self.best.epoch == self.epoch:
            save_weights(self.folder / BEST, self.best.weights, durable=False)

    def resume(self) -> None:
        """Take over what an earlier process saved, if anything.

        Raises:
            RunFolderError: the checkpoint is damaged or of another training.
        """
        saved = load_checkpoint(self.folder / CHECKPOINT, self.fingerprint)
        if saved is None:
            return
        self.epoch, self.best, self.rows = saved.epoch, saved.best, saved.rows
        self.trainee.load_state_dict(saved.trainee)
        self.optimiser.load_state_dict(saved.optimiser)
        if self.ema and saved.ema:
            self.ema.network.load_state_dict(saved.ema)

    def finish(self, best: Best) -> Path:
        """Turn the best checkpoint into the result, and load it into the network."""
        path = self.folder / WEIGHTS
        save_weights(path, best.weights)
        (self.folder / BEST).unlink(missing_ok=True)
        self.trainee.network.backbone.load_state_dict(best.weights)
        return path

    def _candidates(self) -> dict[Which, Network]:
        raw: dict[Which, Network] = {"raw": self.trainee.network}
        return {**raw, "ema": self.ema.network} if self.ema else raw

    def _scores(self, network: Network, score: Score) -> dict[str, float]:
        network.eval()
        with torch.no_grad():
            return {name: float(value) for name, value in score(network).items()}


def new_state(
    trainee: Trainee,
    settings: TrainSettings,
    total_steps: int,
    folder: Path,
    fingerprint: Mapping[str, str],
    fabric: Fabric,
) -> TrainState:
    """Bring a trainee to its device, with an optimiser and an average of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    optimiser = make_optimiser(trainee, settings, fabric.device)
    module, wrapped = fabric.setup(trainee, optimiser)
    ema = None
    if settings.ema is not None:
        ema = Ema(trainee.network, decay=settings.ema, total_steps=total_steps)
    return TrainState(
        folder=folder,
        fingerprint=fingerprint,
        fabric=fabric,
        trainee=trainee,
        module=module,
        optimiser=wrapped,
        ema=ema,
    )

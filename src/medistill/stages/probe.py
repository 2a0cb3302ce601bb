"""Fits the teacher as a probe: its body keeps the given weights, one linear layer learns."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from medistill.core.row_file import mapped_rows
from medistill.data.loader import ordered_batches
from medistill.data.views import ViewPolicy
from medistill.models.network import Network
from medistill.models.probe import StageProbe
from medistill.recipe import ProbeBlock
from medistill.stages.data import Prepared
from medistill.stages.stage_means import StageMeans
from medistill.train.device import run_device
from medistill.train.disk import told_if_refused
from medistill.train.probe import Examples, ProbeFit, fit_probe

_BATCH = 16


@dataclass(frozen=True)
class _EveryView:
    """Views 0 to ``views`` - 1 of ``rows``, image after image."""

    rows: NDArray[np.int64]
    views: int

    @property
    def steps(self) -> int:
        return -(-len(self.rows) * self.views // _BATCH)

    def at(self, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        last = min((step + 1) * _BATCH, len(self.rows) * self.views)
        images, views = np.divmod(np.arange(step * _BATCH, last), self.views)
        return self.rows[images], views


class ProbeFitter:
    """Fits members that share one body; an image is shown to the body once for all of them.

    What the body says goes to files, and is read from there (see :func:`fit_probe` for what stays
    in memory).

    Args:
        prepared: the run's images.
        block: how the probe is fitted.
        policy: how views are drawn; view 0 is un-augmented.
        seen: what the body said of each row's views, ``block.views`` of them; the fitters of all
            folds may share one, as long as their bodies and policies are the same.
    """

    def __init__(
        self,
        prepared: Prepared,
        block: ProbeBlock,
        policy: ViewPolicy,
        seen: StageMeans,
    ) -> None:
        self._prepared, self._block, self._policy = prepared, block, policy
        self._seen = seen
        self._gather = functools.partial(mapped_rows, folder=seen.folder)

    def fit(self, network: Network, rows: Sequence[int], select: Sequence[int]) -> ProbeFit:
        """Fit the network's linear layer on ``rows``; ``select`` chooses the penalty.

        Raises:
            RunFolderError: the disk refuses what the body says.
        """
        probe = network.backbone
        if not isinstance(probe, StageProbe):
            raise TypeError("only a probe is fitted here")
        penalties = self._block.penalties
        with told_if_refused(self._seen.folder):
            self._show(network, probe, [*rows, *select])
            fit, held = self._examples(rows, self._block.views), self._examples(select, 1)
            return fit_probe(probe, fit, held, penalties, gather=self._gather)

    def _examples(self, rows: Sequence[int], views: int) -> Examples:
        means = self._gather(self._seen.blocks(rows, views))
        labels = self._prepared.labels[list(rows)]
        if self._prepared.images.task == "multi-label":
            return Examples(means=means, labels=labels.repeat(views, axis=0).astype(np.float64))
        classes = labels.argmax(axis=1).repeat(views).astype(np.int64)
        return Examples(means=means, labels=classes)

    def _show(self, network: Network, probe: StageProbe, rows: Sequence[int]) -> None:
        new = self._seen.missing(rows)
        if not new:
            return
        order = _EveryView(np.array(new, np.int64), self._seen.views)
        batches = ordered_batches(
            self._prepared.store,
            torch.from_numpy(self._prepared.labels),
            order,
            self._policy,
            steps=range(order.steps),
            size=network.preprocessing.size,
        )
        device = run_device()
        network.eval().to(device)
        with torch.inference_mode():
            found = (
                probe.stage_means(network.normalised(batch.images.to(device))).float().cpu().numpy()
                for batch in batches
            )
            self._seen.add(new, found)

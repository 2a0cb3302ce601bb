"""Embeddings of earlier batches, for losses that compare an image with more than its batch.

Dimension key: B batch, D width, Q length of the queue.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Queue(nn.Module):
    """The last Q embeddings of a frozen teacher, oldest replaced first.

    Nothing of it is learned, but it is part of a method's adapters, so that a resumed training goes
    on with the queue that it was stopped with.

    Args:
        length: Q.
        width: D.
    """

    rows: Tensor
    count: Tensor

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros(length, width))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def held(self) -> Tensor:
        """(up to Q, D) embeddings of earlier batches, in no order that matters."""
        return self.rows[: int(self.count)].clone()

    @torch.no_grad()
    def add(self, embeddings: Tensor) -> None:
        """Take in (B, D); where B is larger than Q, the last Q of them."""
        newest = embeddings.detach().float()[-len(self.rows) :]
        free = int(self.count) + len(newest) - len(self.rows)
        kept = self.rows[max(0, free) : int(self.count)].clone()
        self.rows[: len(kept)] = kept
        self.rows[len(kept) : len(kept) + len(newest)] = newest
        self.count.fill_(len(kept) + len(newest))

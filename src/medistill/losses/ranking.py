"""Losses between rankings of tokens by importance.

Scores are logarithms of importance; the student's are standardised over the tokens first, else it
could please a ranking by putting all its attention on one token.
Dimension key: B batch, N tokens, k how many are ranked.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_FLOOR = 1e-2


def list_mle(*, student: Tensor, teacher: Tensor, top: int) -> Tensor:
    """Negative log-likelihood of the teacher's first k tokens under the student's scores.

    ``-(1 / k) mean_B sum_r [s_pi(r) - logsumexp_(r' >= r) s_pi(r')]`` with pi the teacher's order;
    Xia et al., "Listwise Approach to Learning to Rank" (ListMLE), ICML 2008. For equal scores it is
    the mean of log(N - r + 1), 5.144 for k = 49 of N = 196. Its infimum is not reached, and it has
    a gradient where both agree.

    Normaliser: mean over the k places and over the batch. Unit: nats. Computed in float32, outside
    autocast. Gradients reach the student alone.

    Args:
        student: (B, N) scores.
        teacher: (B, N) scores; ranked in float32.
        top: k, from 1 to N.

    Raises:
        ValueError: more places than tokens.
    """
    _check_top(student, top)
    with torch.autocast(student.device.type, enabled=False):
        order = teacher.float().argsort(dim=-1, descending=True, stable=True)
        scores = _standardised(student.float()).gather(-1, order)
        rest = scores.flip(-1).logcumsumexp(dim=-1).flip(-1)
        return (rest - scores)[:, :top].mean()


def pairwise_hinge(*, student: Tensor, teacher: Tensor, top: int, margin: float = 0.1) -> Tensor:
    """Hinge on every pair of which one is among the teacher's first k.

    ``mean over pairs with t_i != t_j of max(0, margin - (s_i - s_j) sign(t_i - t_j))``; as Liu et
    al., "Post-Training Quantization for Vision Transformer", NeurIPS 2021, section 3.2.

    Normaliser: mean over pairs and batch. Computed in float32, outside autocast. Gradients reach
    the student alone.

    Args:
        student: (B, N) scores.
        teacher: (B, N) scores.
        top: k, from 1 to N.
        margin: by how many standard deviations a pair should be apart.

    Raises:
        ValueError: more places than tokens.
    """
    _check_top(student, top)
    with torch.autocast(student.device.type, enabled=False):
        said, scores = teacher.detach().float(), _standardised(student.float())
        first = said.topk(top, dim=-1).indices
        way = torch.sign(said.gather(-1, first)[:, :, None] - said[:, None, :])
        apart = scores.gather(-1, first)[:, :, None] - scores[:, None, :]
        each = functional.relu(margin - apart * way) * way.abs()
        return each.sum() / way.abs().sum().clamp(min=1)


def lambda_rank(*, student: Tensor, teacher: Tensor, top: int) -> Tensor:
    """Logistic loss on pairs, weighted by what swapping them would cost in NDCG at k.

    ``sum_(t_i > t_j) |dNDCG_ij| softplus(-(s_i - s_j))`` over the number of pairs, with gain exp(t)
    (the teacher's importance), discount ``1 / log2(1 + rank)`` up to rank k and 0 beyond, ranks by
    the student's scores; Wang et al., "The LambdaLoss Framework for Ranking Metric Optimization",
    CIKM 2018.

    Normaliser: mean over pairs and batch. Computed in float32, outside autocast. Gradients reach
    the student alone.

    Args:
        student: (B, N) scores.
        teacher: (B, N) logarithms of importance.
        top: k, from 1 to N.

    Raises:
        ValueError: more places than tokens.
    """
    _check_top(student, top)
    with torch.autocast(student.device.type, enabled=False):
        said = teacher.detach().float()
        # Only shares of the best gain count, so the largest may be 1: nothing overflows.
        gain = (said - said.amax(dim=-1, keepdim=True)).exp()
        scores = _standardised(student.float())
        discount = _discounts(scores.detach(), top)
        best = (gain.sort(dim=-1, descending=True).values * _places(gain, top)).sum(dim=-1)
        change = (gain[:, :, None] - gain[:, None, :]) * (
            discount[:, :, None] - discount[:, None, :]
        )
        weight = change.abs() / best[:, None, None].clamp(min=1e-12)
        above = gain[:, :, None] > gain[:, None, :]
        loss = functional.softplus(scores[:, None, :] - scores[:, :, None])
        return (weight * loss * above).sum() / above.sum().clamp(min=1)


def _standardised(scores: Tensor) -> Tensor:
    """Each row to mean 0 and deviation 1."""
    centred = scores - scores.mean(dim=-1, keepdim=True)
    square = centred.square().mean(dim=-1, keepdim=True)
    return centred / square.clamp(min=_FLOOR**2).sqrt()


def _places(like: Tensor, top: int) -> Tensor:
    """(N,) discount of each place."""
    place = torch.arange(1, like.shape[-1] + 1, device=like.device, dtype=torch.float32)
    return torch.where(place <= top, 1 / torch.log2(1 + place), 0.0)


def _discounts(scores: Tensor, top: int) -> Tensor:
    """(B, N) discount of the place that each token has by these scores."""
    order = scores.argsort(dim=-1, descending=True, stable=True)
    places = _places(scores, top).expand_as(scores)
    return torch.zeros_like(scores).scatter(-1, order, places)


def _check_top(scores: Tensor, top: int) -> None:
    if not 1 <= top <= scores.shape[-1]:
        raise ValueError(f"{top} of {scores.shape[-1]} tokens cannot be ranked")

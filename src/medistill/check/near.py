"""Clusters of pictures that are the same but for encoding, gray scale, a small shift or a crop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from medistill.check.alignment import SIDE, aligned_likeness
from medistill.check.facts import Facts
from medistill.check.pairs import LARGE_SET, Pairs, loose_pairs, signs_of
from medistill.data.duplicates import cluster_hashes

#: Different bits, of 64, within which two hashes are one picture. Tighter than what groups slices
#: without patient ids (10), where a false pair costs little: of 331,183 pairs of chest radiographs
#: of different patients 783 are within 10 bits, 26 within 6, 2 within 4, none within 2.
NEAR_BITS = 4
#: Correlation of 16 x 16 pictures from which such hashes are believed: re-encoded, halved or
#: otherwise gamma-corrected phantoms have .998 with their original, colliding pairs .92 at most.
ALIKE = 0.97
#: Correlation from which two pictures are one once they are aligned: within ``SURE_BITS``, and
#: beyond. Of 331,705 pairs of chest radiographs of different patients the most alike have .971 and
#: .975, of 2.9 million pairs of another source without patients one has .978 and none beyond .982,
#: of 2.9 million pairs of phantoms .955; copies cut by 2 % and encoded again have .98 to .994 in 19
#: of 20 cases.
ALIGNED, ALIGNED_BEYOND, SURE_BITS = 0.975, 0.983, 12
#: Shorter sides hold too little to be aligned: pictures of 28 x 28 are alike by their blur.
_SHORTEST = 64
#: Different bits beyond which pictures are not chained into one cluster by aligned pairs.
WIDEST = 20
#: Pairs whose pictures are in memory at once.
_ALIGNED_AT_ONCE = 512
Signs = NDArray[np.float32]
FactsOf = Mapping[str, Facts]


def near_clusters(facts: FactsOf, names: Iterable[str]) -> list[list[str]]:
    """Every structured image once, with its near copies.

    Equal hashes whose pictures correlate come first; then those are joined that are alike when
    they are aligned. A cluster that gets wider than ``WIDEST`` bits falls apart again.
    """
    tight = tight_clusters(facts, names)
    return _joined(facts, tight, aligned_pairs(facts, [held[0] for held in tight]))


def tight_clusters(facts: FactsOf, names: Iterable[str]) -> list[list[str]]:
    """The same without what only aligning finds, at any number of images."""
    names = [name for name in names if _structured(facts[name])]
    found = cluster_hashes({n: facts[n].bits for n in names}, distance=NEAR_BITS)
    clusters = by((found[name] for name in names), names).values()
    return [part for held in clusters for part in _alike(facts, held)]


def aligned_pairs(facts: FactsOf, names: Sequence[str]) -> Pairs:
    """Pairs of rows that show one picture once aligned, shape (P, 2); none in a large set."""
    if len(names) > LARGE_SET:
        return np.zeros((0, 2), dtype=np.intp)
    sides = [min(facts[name].width, facts[name].height) for name in names]
    large = np.flatnonzero(np.array(sides) >= _SHORTEST)
    found = _aligned_pairs(facts, [names[row] for row in large.tolist()])
    return large[found]


def _aligned_pairs(facts: FactsOf, names: Sequence[str]) -> Pairs:
    signs = signs_of([facts[name].bits for name in names])
    thumbs = _pictures([facts[name].thumb for name in names])
    pairs = loose_pairs(signs, thumbs)
    found = [
        _same(facts, names, signs, pairs[start : start + _ALIGNED_AT_ONCE])
        for start in range(0, len(pairs), _ALIGNED_AT_ONCE)
    ]
    return np.concatenate(found) if found else pairs


def _same(facts: FactsOf, names: Sequence[str], signs: Signs, pairs: Pairs) -> Pairs:
    """Those of some pairs that show one picture."""
    one, two = (
        _pictures([facts[names[row]].look for row in pairs[:, side].tolist()]) for side in (0, 1)
    )
    likeness = aligned_likeness(one.reshape(-1, SIDE, SIDE), two.reshape(-1, SIDE, SIDE))
    return pairs[are_one(signs[pairs[:, 0]], signs[pairs[:, 1]], likeness)]


def are_one(
    one: NDArray[np.float32], two: NDArray[np.float32], likeness: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which of P pairs show one picture, by their hashes (P, 64) and aligned correlation (P,)."""
    bits = (one.shape[-1] - (one * two).sum(axis=-1)) / 2
    return np.asarray(likeness >= np.where(bits <= SURE_BITS, ALIGNED, ALIGNED_BEYOND))


def _joined(facts: FactsOf, tight: list[list[str]], pairs: Pairs) -> list[list[str]]:
    parent = np.arange(len(tight))
    for one, two in pairs.tolist():
        parent[root_of(parent, two)] = root_of(parent, one)
    keys = (str(root_of(parent, row)) for row in range(len(tight)))
    rows = by(keys, (str(row) for row in range(len(tight)))).values()
    joined: list[list[str]] = []
    for held in rows:
        parts = [tight[int(row)] for row in held]
        whole = [name for part in parts for name in part]
        joined += [whole] if len(parts) == 1 or _width(facts, whole) <= WIDEST else parts
    return joined


def _width(facts: FactsOf, names: Sequence[str]) -> int:
    """Most different bits of two members."""
    signs = signs_of([facts[name].bits for name in names])
    return int((signs.shape[1] - signs @ signs.T).max() // 2)


def _alike(facts: FactsOf, cluster: list[str]) -> list[list[str]]:
    """A cluster cut where small pictures do not correlate: hashes of one anatomy can collide."""
    if len(cluster) == 1:
        return [cluster]
    thumbs = _pictures([facts[name].thumb for name in cluster])
    likeness = np.corrcoef(thumbs.astype(float))
    parent = np.arange(len(cluster))
    for one, two in np.argwhere(np.triu(likeness >= ALIKE, 1)).tolist():
        parent[root_of(parent, two)] = root_of(parent, one)
    return list(by((str(root_of(parent, row)) for row in range(len(cluster))), cluster).values())


def _structured(facts: Facts) -> bool:
    """Whether there is anything to compare: flat pictures are all alike."""
    return facts.high - facts.low >= 0.02


def _pictures(texts: Sequence[str]) -> NDArray[np.uint8]:
    held = np.frombuffer(b"".join(map(bytes.fromhex, texts)), np.uint8)
    return held.reshape(len(texts), -1) if texts else np.zeros((0, 0), np.uint8)


def by(keys: Iterable[str], names: Iterable[str]) -> dict[str, list[str]]:
    """Names by their key, in order."""
    found: dict[str, list[str]] = {}
    for key, name in zip(keys, names, strict=True):
        found.setdefault(key, []).append(name)
    return found


def root_of(parent: NDArray[np.intp], row: int) -> int:
    """Root of a row in a forest of parents."""
    while parent[row] != row:
        row = int(parent[row])
    return row

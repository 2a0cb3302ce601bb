"""Copies of one picture: identical files, and near-duplicates by perceptual hash."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medistill.core.files import sha256_file
from medistill.data.closest import CLOSEST, Bits, closest_components, rows_alike, without_wide
from medistill.data.perceptual import Progress, bits_of, perceptual_hashes

Numbers = NDArray[np.int64]
Link = Callable[[Bits, int, Numbers], Numbers]

#: Default diameter of a cluster, of 64 bits. Measured on 100 images each of COVID-CT (from papers)
#: and SARS-CoV-2-CT, the share of altered copies within it: JPEG quality 50, half size and gamma
#: 0.7 all; brighter by a fifth 99 %; turned by 2 degrees 97 %; 3 % cut from one side 97 %; shifted
#: by 2 pixels 97 %; 2 % cut from all sides 98 %; but 5 % cut from all sides only 18 %. Of unrelated
#: pairs 0.1 % (COVID-CT) and 1 % (SARS-CoV-2-CT, where many are slices of one patient).
NEAR_DISTANCE = 10
#: Most different hashes that are linked at once: all pairs of distances take 100 MB.
_BLOCK = 5000


def identical_files(paths: Mapping[str, Path]) -> dict[str, str]:
    """Group of every file: the first name (in alphabetical order) with the same bytes.

    Only files of equal size are read. A file that is missing is its own group, since whoever
    decodes it will say so.

    Args:
        paths: file by name.
    """
    by_size: dict[int, list[str]] = defaultdict(list)
    for name in sorted(paths):
        by_size[_size(paths[name])].append(name)
    groups = {name: name for name in paths}
    for size, names in by_size.items():
        if size >= 0 and len(names) > 1:
            groups |= _by_bytes({name: paths[name] for name in names})
    return groups


def near_duplicate_groups(
    paths: Mapping[str, Path],
    *,
    distance: int = NEAR_DISTANCE,
    cache: Path | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> dict[str, str]:
    """Group of every image: the first name of its cluster of near-duplicates.

    Pictures of at most 2 different bits, of 64-bit perceptual hashes, are joined first, unless they
    chain to more than ``distance`` bits. All is then joined by complete linkage: no two members of
    a cluster differ in more than ``distance`` bits, so that clusters cannot chain through a set of
    similar slices (single linkage at 6 bits puts 541 slices of SARS-CoV-2-CT into one). The price
    is that a pair of 3 bits or more may be cut. An image that cannot be read is its own.

    Args:
        paths: image file by name.
        distance: largest number of different bits within a cluster, from 0 to 64.
        cache: folder that remembers hashes by file content between calls, or None.
        workers: processes that decode; 0 decodes here.
        progress: called with (done, total) as files are hashed.

    Raises:
        MissingExtraError: imagehash or scipy is not installed.
    """
    hashes = perceptual_hashes(paths, cache=cache, workers=workers, progress=progress)
    return {name: name for name in paths} | _clustered(hashes, distance)


def cluster_hashes(hashes: Mapping[str, str], *, distance: int) -> dict[str, str]:
    """Group of every image as :func:`near_duplicate_groups`, from hashes that are known.

    Hashes that no chain of pairs within the distance connects are never compared, so that memory
    does not grow with the square of their number; for distances of a few bits.

    Args:
        hashes: 16 hexadecimal digits by name.
        distance: largest number of different bits within a cluster, from 0 to 64.
    """
    bits = {name: bits_of(text) for name, text in hashes.items()}
    return _clustered(bits, distance, _linked_by_chain)


def _clustered(
    hashes: Mapping[str, Bits], distance: int, link: Link | None = None
) -> dict[str, str]:
    if not hashes:
        return {}
    groups: dict[str, str] = {}
    names = sorted(hashes)
    distinct, member = np.unique([hashes[name] for name in names], axis=0, return_inverse=True)
    closest = closest_components(distinct, min(distance, CLOSEST))
    closest = without_wide(distinct, closest, distance)
    cluster = (link or _linked_in_blocks)(distinct, distance, closest)[member.ravel()]
    first: dict[int, str] = {}
    for name, number in zip(names, cluster.tolist(), strict=True):
        groups[name] = first.setdefault(number, name)
    return groups


def _linked_by_chain(hashes: Bits, distance: int, closest: Numbers) -> Numbers:
    """As :func:`_linked_in_blocks`: complete linkage joins nothing that no chain of pairs does."""
    chain = closest_components(hashes, distance)
    clusters = np.arange(len(hashes))
    offset = len(hashes)
    for rows in rows_alike(chain):
        clusters[rows] = _linked_in_blocks(hashes[rows], distance, closest[rows]) + offset
        offset += len(rows) + 1
    return clusters


def _linked_in_blocks(
    hashes: Bits, distance: int, closest: Numbers, block: int = _BLOCK
) -> Numbers:
    """Cluster number of each of N different hashes, of shape (N,).

    Above ``block`` hashes each component first goes to the nearest of some pivots, and only hashes
    of one pivot are linked: the diameter stays bounded, pairs across a border stay apart, unless
    they are of one component.
    """
    if len(hashes) <= block:
        return _linked(hashes, distance, closest)
    nearest = _nearest(hashes, hashes[:: max(1, block // 4)])[closest]
    clusters = np.empty(len(hashes), dtype=np.int64)
    offset = 0
    for pivot in np.unique(nearest):
        rows = np.flatnonzero(nearest == pivot)
        rows = rows[np.argsort(closest[rows], kind="stable")]
        for piece in _pieces(rows, closest, block):
            clusters[piece] = _linked(hashes[piece], distance, closest[piece]) + offset
            offset += len(piece) + 1
    return clusters


def _pieces(rows: Numbers, closest: Numbers, block: int) -> list[Numbers]:
    """Rows, sorted by component, cut into pieces of about ``block`` that cut no component."""
    starts = np.flatnonzero(np.diff(closest[rows], prepend=-1))
    wanted = np.arange(block, len(rows), block)
    cuts = np.unique(starts[np.searchsorted(starts, wanted, side="right") - 1])
    return [piece for piece in np.split(rows, cuts[cuts > 0]) if len(piece)]


def _nearest(hashes: Bits, pivots: Bits) -> Numbers:
    best = np.full(len(hashes), hashes.shape[1] + 1)
    nearest = np.zeros(len(hashes), dtype=np.int64)
    for number, pivot in enumerate(pivots):
        bits = np.count_nonzero(hashes != pivot, axis=1)
        closer = bits < best
        best[closer], nearest[closer] = bits[closer], number
    return nearest


def _linked(hashes: Bits, distance: int, closest: Numbers) -> Numbers:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import pdist

    if len(hashes) < 2:
        return np.zeros(len(hashes), dtype=np.int64)
    bits = pdist(hashes, "cityblock")
    # At distance 0 they are joined before all others; complete linkage then goes by the farthest.
    same = pdist(closest[:, None], "cityblock") == 0
    bits[same] = 0
    numbers = fcluster(linkage(bits, "complete"), distance + 0.5, "distance")
    return np.asarray(numbers, dtype=np.int64)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _by_bytes(paths: Mapping[str, Path]) -> dict[str, str]:
    first: dict[str, str] = {}
    # Several names may be of one file, as those of its frames are.
    hashes = {path: sha256_file(path) for path in dict.fromkeys(paths.values())}
    return {name: first.setdefault(hashes[path], name) for name, path in paths.items()}

"""Layout ``medmnist``: an npz file of MedMNIST v2 (Yang et al., Scientific Data 10:41, 2023)."""

from __future__ import annotations

import io
import math
import urllib.request
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from medistill.core.errors import MENDABLE, DataError
from medistill.core.files import atomic_file, sha256_file
from medistill.core.types import ImageSet, Sample, Task
from medistill.data.processes import MOST_AT_ONCE, in_order

_Named = tuple[str, NDArray[Any]]
PREFIX = "medmnist"
URL = "https://zenodo.org/records/10519652/files"
_SPLITS = ("train", "val", "test")
_SIZES = (28, 64, 128, 224)
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
NO_IDS = "MedMNIST names no patients; its authors split by patient where their sources did."
#: Class names of the flags that medistill is used for; others are numbered.
CLASSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "breastmnist": ("malignant", "normal or benign"),
        "pneumoniamnist": ("normal", "pneumonia"),
        "retinamnist": ("0", "1", "2", "3", "4"),
        "chestmnist": (
            "atelectasis",
            "cardiomegaly",
            "effusion",
            "infiltration",
            "mass",
            "nodule",
            "pneumonia",
            "pneumothorax",
            "consolidation",
            "edema",
            "emphysema",
            "fibrosis",
            "pleural",
            "hernia",
        ),
    }
)


def is_medmnist(path: Path) -> bool:
    """Whether a path is an npz file with MedMNIST's arrays."""
    if not (path.is_file() and path.suffix.lower() == ".npz" and zipfile.is_zipfile(path)):
        return False
    with zipfile.ZipFile(path) as archive:
        return {"train_images.npy", "train_labels.npy"} <= set(archive.namelist())


def fetched(spec: str, cache: Path) -> Path:
    """The npz file of ``medmnist:FLAG[,size=28]``, downloaded once into ``cache``.

    Raises:
        DataError: an impossible specification, or the file cannot be had; says where to place it.
        OSError: the cache cannot be written.
    """
    flag, _, rest = spec.partition(":")[2].partition(",")
    size = rest.partition("=")[2] or "28"
    if not flag.isalnum() or size not in map(str, _SIZES):
        cure = f"Write medmnist:FLAG or medmnist:FLAG,size=N with N of {_SIZES}."
        raise DataError(where=spec, what="is not a data set of MedMNIST", cure=cure)
    name = f"{flag}.npz" if size == "28" else f"{flag}_{size}.npz"
    target = cache / name
    if not target.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        _download(f"{URL}/{name}?download=1", target, spec)
    return target


def read_medmnist(path: Path, *, cache: Path, workers: int = 0) -> ImageSet:
    """Unpack an npz file into PNG files below ``cache`` and list them with the published split.

    Args:
        path: the npz file.
        cache: where the pictures go; those of an earlier call are used again.
        workers: processes that write them (spawned: guard your script's ``__main__``); 0 writes
            here.

    Raises:
        DataError: damaged, or not of two dimensions.
        OSError: the cache cannot be written.
    """
    folder = cache / f"{path.stem}-{sha256_file(path)[:12]}"
    with _named_faults(path):
        labels = _labels(path)
        names = {split: _names(path, split) for split in labels}
        write = partial(_write, folder)
        for _ in in_order(_missing(path, names, folder), write, workers=workers):
            pass
    wide = max(value.reshape(len(value), -1).shape[1] for value in labels.values()) > 1
    samples: list[Sample] = []
    for split, held in labels.items():
        for name, label in zip(names[split], held.reshape(len(held), -1).tolist(), strict=True):
            value = tuple(map(float, label)) if wide else int(label[0])
            group = f"{split} {name}"
            samples.append(
                Sample(path=folder / name, name=name, label=value, group=group, split=split)
            )
    task: Task = "multi-label" if wide else "single-label"
    return ImageSet(
        name="medmnist",
        root=path,
        task=task,
        classes=_classes(path, labels, wide),
        samples=tuple(sorted(samples, key=lambda sample: sample.name)),
        group_word="image",
        caveats=(NO_IDS,),
    )


@contextmanager
def _named_faults(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        if isinstance(error, OSError) and error.errno in MENDABLE:
            raise  # the disk's fault, not the file's
        cure = "Download it again."
        raise DataError(where=path, what=f"is a damaged npz file ({error})", cure=cure) from error


def _labels(path: Path) -> dict[str, NDArray[Any]]:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as found:
        names = {split: f"{split}_labels" for split in _SPLITS}
        return {split: found[name] for split, name in names.items() if name in found.files}


def _names(path: Path, split: str) -> list[str]:
    """Names of a split's pictures below the folder."""
    with _opened(path, split) as (_, (count, *_), _):
        return [f"{split}/{number:06}.png" for number in range(count)]


def _missing(
    path: Path, names: Mapping[str, Sequence[str]], folder: Path
) -> Iterator[list[_Named]]:
    """Pictures that are not in the folder yet, with their names, some at a time."""
    for split, own in names.items():
        (folder / split).mkdir(parents=True, exist_ok=True)
        if all((folder / name).is_file() for name in own):
            continue
        named = zip(own, _pictures(path, split), strict=True)
        wanted = ((name, picture) for name, picture in named if not (folder / name).is_file())
        while piece := list(islice(wanted, MOST_AT_ONCE)):
            yield piece


def _write(folder: Path, pictures: Iterable[_Named]) -> None:
    for name, picture in pictures:
        packed = io.BytesIO()
        Image.fromarray(picture.astype(np.uint8)).save(packed, "PNG")
        # Renamed when it is whole; to wait for the disk for each of them can take hours.
        torn = (folder / name).with_suffix(".png.partial")
        torn.write_bytes(packed.getvalue())
        torn.replace(folder / name)


def _pictures(path: Path, split: str) -> Iterator[NDArray[Any]]:
    """One after the other, since all of a large flag would not fit in memory."""
    with _opened(path, split) as (stream, (count, *shape), dtype):
        size = math.prod(shape) * dtype.itemsize
        for _ in range(count):
            yield np.frombuffer(stream.read(size), dtype=dtype).reshape(shape)


@contextmanager
def _opened(path: Path, split: str) -> Iterator[tuple[IO[bytes], tuple[int, ...], np.dtype[Any]]]:
    """The pictures of a split as a stream of their values, their shape and type."""
    member = f"{split}_images.npy"
    with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
        shape, by_column, dtype = _HEADERS[np.lib.format.read_magic(stream)](stream)
        one = shape[1:]
        if len(one) not in (2, 3) or (len(one) == 3 and one[-1] != 3):
            what = f"holds pictures of the shape {tuple(one)}"
            raise DataError(where=path, what=what, cure="Use a flag of two-dimensional pictures.")
        if by_column:
            raise ValueError(f"{member} is stored by columns")
        yield stream, shape, dtype


def _classes(path: Path, labels: Mapping[str, NDArray[Any]], wide: bool) -> tuple[str, ...]:
    first = next(iter(labels.values()))
    highest = max(int(value.max()) for value in labels.values())
    count = first.reshape(len(first), -1).shape[1] if wide else highest + 1
    known = CLASSES.get(path.stem.partition("_")[0], ())
    return known if len(known) == count else tuple(map(str, range(count)))


def _download(url: str, target: Path, spec: str) -> None:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer, atomic_file(target) as stream:
            while piece := answer.read(2**20):
                stream.write(piece)
    except OSError as error:
        if error.errno in MENDABLE:
            raise  # the disk's fault, not the net's
        raise DataError(
            where=spec,
            what=f"cannot be downloaded ({getattr(error, 'reason', error)})",
            cure=f"Download {url.partition('?')[0]} elsewhere and give the file's path.",
        ) from error

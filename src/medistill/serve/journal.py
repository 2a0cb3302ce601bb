"""What a long prediction has finished, line by line, so that a kill loses one batch. Torch-free."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medistill.serve.inputs import Input
from medistill.serve.prediction import Prediction
from medistill.serve.stamp import Stamp, stamp_of

_FIELDS = (
    "path",
    "probabilities",
    "label",
    "conformal",
    "trusted",
    "reasons",
    "mask_file",
    "problem",
)


class Journal:
    """Appends predictions beside the output and brings back those of a run that was stopped.

    The first line says what predicts what; a journal of another bundle, graph or list of inputs is
    begun anew. Every line holds the stamp of its file; of a file that has changed since, or is no
    longer there, no answer is kept. Inputs that had a problem are tried again, since a file may
    have been copied since.

    Args:
        out: the output; the journal takes its name and the ending ``.partial``.
        made_by: what the predictions depend on.
    """

    def __init__(self, out: Path, made_by: Mapping[str, object]) -> None:
        self.path = out.with_name(f"{out.name}.partial")
        self._head = json.dumps({"made_by": made_by}, sort_keys=True)
        kept = list(self._kept())
        self.done = {name for name, _ in kept}
        with self.path.open("w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.writelines([self._head, "\n", *(line for _, line in kept)])
        self._stream = self.path.open("a", encoding="utf-8", errors="backslashreplace")

    def add(self, found: Prediction) -> None:
        """Append one prediction; one without the stamp of its file is not kept for another run."""
        self._stream.write(_line(found))

    def save(self) -> None:
        """Bring what was added to the disk."""
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def read(self) -> Iterator[Prediction]:
        """Every prediction, those of earlier runs first."""
        self._stream.flush()
        with self.path.open(encoding="utf-8") as stream:
            next(stream)
            for line in stream:
                yield _prediction(json.loads(line))

    def close(self, *, finished: bool) -> None:
        """Stop appending; a finished journal is removed.

        Args:
            finished: whether the output holds everything.
        """
        self._stream.close()
        if finished:
            self.path.unlink(missing_ok=True)

    def begun(self, item: Input) -> Input:
        """The input with its file's stamp, which must be taken before the file is read."""
        return dataclasses.replace(item, stamp=stamp_of(item.path))

    def _kept(self) -> Iterator[tuple[str, str]]:
        """Names and lines of a stopped run; a last line that was cut off ends them."""
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return
        if not lines or lines[0] != self._head:
            return
        for line in lines[1:]:
            try:
                value = json.loads(line)
                found = _prediction(value)
                unchanged = _is_unchanged(value["stamp"])
            except (ValueError, KeyError, TypeError):
                return
            if found.problem is None and unchanged:
                yield found.path, f"{line}\n"


def _is_unchanged(noted: Mapping[str, Any] | None) -> bool:
    if noted is None:
        return False
    stamp = Stamp(**noted)
    return stamp_of(Path(stamp.given)) == stamp


def _line(found: Prediction) -> str:
    stamp = None if found.source is None else found.source.stamp
    value = {name: getattr(found, name) for name in _FIELDS}
    value["stamp"] = None if stamp is None else dataclasses.asdict(stamp)
    return json.dumps(value, ensure_ascii=False) + "\n"


def _prediction(value: Mapping[str, Any]) -> Prediction:
    chances, conformal = value["probabilities"], value["conformal"]
    return Prediction(
        path=value["path"],
        probabilities=None if chances is None else tuple(chances),
        label=value["label"],
        conformal=None if conformal is None else tuple(conformal),
        trusted=value["trusted"],
        reasons=tuple(value["reasons"]),
        mask_file=value["mask_file"],
        problem=value["problem"],
    )

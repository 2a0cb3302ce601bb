"""What a long prediction has finished, line by line, so that a kill loses one batch. Torch-free."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medistill.serve.prediction import Prediction

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

    The first line says what predicts; a journal of another bundle or graph is begun anew. Inputs
    that had a problem are tried again, since a file may have been copied since.

    Args:
        out: the output; the journal takes its name and the ending ``.partial``.
        made_by: what the predictions depend on.
    """

    def __init__(self, out: Path, made_by: Mapping[str, str]) -> None:
        self.path = out.with_name(f"{out.name}.partial")
        self._head = json.dumps({"made_by": made_by}, sort_keys=True)
        kept = list(self._kept())
        self.done = {found.path for found in kept}
        with self.path.open("w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.writelines([self._head, "\n", *map(_line, kept)])
        self._stream = self.path.open("a", encoding="utf-8", errors="backslashreplace")

    def add(self, found: Prediction) -> None:
        """Append one prediction."""
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

    def _kept(self) -> Iterator[Prediction]:
        """Answers of a stopped run; a last line that was cut off ends them."""
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return
        if not lines or lines[0] != self._head:
            return
        for line in lines[1:]:
            try:
                found = _prediction(json.loads(line))
            except (ValueError, KeyError, TypeError):
                return
            if found.problem is None:
                yield found


def _line(found: Prediction) -> str:
    return json.dumps({name: getattr(found, name) for name in _FIELDS}, ensure_ascii=False) + "\n"


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

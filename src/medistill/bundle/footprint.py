"""Largest memory of a process that holds one graph and nothing else. Torch-free.

Run: python -m medistill.bundle.footprint JOB, a JSON object of the arguments of ``footprint``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medistill.bundle.engine import Precision, Runtime, open_engine
from medistill.core.memory import peak_memory_bytes

_BATCHES = (1, 8)


def footprint(
    files: Sequence[Path],
    *,
    runtime: Runtime,
    precision: Precision,
    shape: Sequence[int],
    threads: int,
) -> int | None:
    """Bytes of resident memory, interpreter included, after one image and then eight.

    Args:
        files: of the graph.
        runtime: that runs it.
        precision: of its sums.
        shape: (C, S, S) of its one input, which is called ``image``.
        threads: for one operator.

    Returns:
        None where the system does not tell, or the graph does not run in a process of its own.
    """
    job = {
        "files": list(map(str, files)),
        "runtime": runtime,
        "precision": precision,
        "shape": list(shape),
        "threads": threads,
    }
    done = subprocess.run(
        [sys.executable, "-m", "medistill.bundle.footprint", json.dumps(job)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        return None
    found: int | None = json.loads(done.stdout.splitlines()[-1])
    return found


def main(text: str) -> None:
    """Run the graph that the job names, and print the largest memory of this process."""
    job = json.loads(text)
    engine = open_engine(
        [Path(file).read_bytes() for file in job["files"]],
        runtime=job["runtime"],
        precision=job["precision"],
        threads=job["threads"],
    )
    for batch in _BATCHES:
        engine.run(["logits"], {"image": np.zeros((batch, *job["shape"]), np.float32)})
    sys.stdout.write(json.dumps(peak_memory_bytes()) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])

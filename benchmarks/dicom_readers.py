"""Where the DICOM readers of MONAI and LightlyTrain differ from what a viewer shows.

    python -m benchmarks.dicom_readers --out runs/dicom-readers

Builds an environment for each peer from benchmarks/environments (below --out, or --monai PYTHON and
--lightly-train PYTHON name ones that exist), lets every reader read the same files
(`benchmarks.dicom_cases`), and prints a table. Peers are judged kindly: after scaling each picture
from its own minimum and maximum to [0, 1], as their users do. What has been read is not read again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.dicom_cases import Case, cases, write
from medistill.core.ending import run_program

ROOT = Path(__file__).resolve().parent.parent
#: One step of 8 bits: what cannot be seen on a display.
SAME = 1 / 255
PEERS = ("monai", "lightly-train")
Float = NDArray[np.float64]


def scaled(values: Float) -> Float:
    """From minimum and maximum to [0, 1]."""
    low, high = float(values.min()), float(values.max())
    return (values - low) / max(high - low, 1e-12)


def judged(found: NDArray[np.generic], shown: Float, *, rescale: bool) -> str:
    """Range of the values as they come, and whether they show the picture.

    Args:
        found: what a reader gave.
        shown: what a viewer shows, in [0, 1].
        rescale: scale to [0, 1] by minimum and maximum first.
    """
    values = np.asarray(found, dtype=np.float64)
    if values.ndim == 3 and values.shape[-1] == 1:
        values = values[..., 0]
    span = f"{values.min():.4g} to {values.max():.4g}"
    if values.shape != shown.shape:
        return f"{span}; shape {'x'.join(map(str, values.shape))}"
    if rescale:
        values, shown = scaled(values), scaled(shown)
    if np.abs(values - shown).max() <= SAME:
        return f"{span}; same"
    if np.abs(1 - values - shown).max() <= SAME:
        return f"{span}; inverted"
    return f"{span}; off by up to {np.abs(values - shown).max():.2f}"


def verdict(case: Case, folder: Path, *, rescale: bool) -> str:
    """What one reader made of one case."""
    said = folder / f"{case.name}.txt"
    if said.exists():
        return f"refused: {said.read_text()[:60]}"
    return judged(np.load(folder / f"{case.name}.npy"), case.shown, rescale=rescale)


def environment(name: str, out: Path) -> Path:
    """Python of a peer's own environment, which is built once."""
    folder = out / f"venv-{name}"
    python, done = folder / "bin" / "python", folder / ".installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        wanted = str(ROOT / "benchmarks" / "environments" / f"{name}.txt")
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", wanted], check=True)
        done.touch()
    return python


def run(name: str, python: Path, out: Path) -> None:
    """Let a system read all cases in its own process."""
    paths = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
    command = [str(python), "-W", "ignore", "-m", "benchmarks.dicom_system", name, str(out)]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": paths})


def table(out: Path) -> str:
    """The comparison in Markdown."""
    head = ("stored as", "medistill", "MONAI", "LightlyTrain")
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for case in cases():
        cells = [verdict(case, out / "medistill", rescale=False)]
        cells += [verdict(case, out / name, rescale=True) for name in PEERS]
        lines.append(f"| {' | '.join((case.words, *cells))} |")
    return "\n".join(lines)


def main() -> None:
    """Write the cases, let everybody read them, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    for name in PEERS:
        parser.add_argument(f"--{name}", type=Path, help="Python of an environment that exists")
    chosen = parser.parse_args()
    out = chosen.out.resolve()
    (out / "cases").mkdir(parents=True, exist_ok=True)
    for case in cases():
        if not (out / "cases" / f"{case.name}.dcm").exists():
            write(case, out / "cases" / f"{case.name}.dcm")
    run("medistill", Path(sys.executable), out)
    for name in PEERS:
        given = getattr(chosen, name.replace("-", "_"))
        run(name, given or environment(name, out), out)
    print(table(out))


if __name__ == "__main__":
    run_program(main, "dicom_readers")

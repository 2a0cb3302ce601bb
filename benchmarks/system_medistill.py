"""medistill, one epoch a turn: its own training loop with cached targets, or its control.

Run by benchmarks.against_peers: python -m benchmarks.system_medistill WORKLOAD cached|live|control
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

import medistill
from benchmarks.turns import Turns, workload_from_arguments
from benchmarks.workload import Workload
from medistill.core.allocator import keep_freed_memory
from medistill.data.loader import ViewStream
from medistill.data.remembered import RememberedViews
from medistill.data.store import Store, open_store
from medistill.data.views import ViewPolicy
from medistill.methods.kdvit import KDViT
from medistill.methods.method import Method
from medistill.methods.supervised import Supervised
from medistill.models.build import ModelSpec, build_model
from medistill.models.network import Network
from medistill.teacher.cache import open_cache, plan_cache, write_cache
from medistill.teacher.frozen import FrozenTeacher
from medistill.teacher.live import LiveTargets
from medistill.teacher.targets import Targets
from medistill.train.loop import fit
from medistill.train.precision import make_fabric
from medistill.train.progress import ProgressEvent
from medistill.train.settings import TrainSettings

# timm's DeiT and ViT of one size are one architecture.
OUR_NAMES = {"deit_tiny": "vit_tiny", "deit_small": "vit_small", "deit_base": "vit_base"}


def network(workload: Workload, name: str) -> Network:
    """Our counterpart of one of timm's DeiTs, for gray images, with random weights."""
    family, patch = name.removesuffix(f"_{name.rsplit('_', 1)[1]}").rsplit("_patch", 1)
    spec = ModelSpec(
        name=OUR_NAMES[family], image_size=workload.size, patch_size=int(patch), channels=3
    )
    return build_model(spec, classes=workload.classes)


class Epochs:
    """A listener of the training loop that turns epochs into turns.

    An epoch is measured from the go-ahead to its last step; it holds its steps and everything that
    the loop does after the epoch before, its checkpoint and log included.
    """

    def __init__(self, turns: Turns, steps_per_epoch: int) -> None:
        self._turns, self._steps = turns, steps_per_epoch

    def __call__(self, event: ProgressEvent) -> None:
        """End of an epoch: report it and wait for the next."""
        if event.step % self._steps == 0:
            self._turns.done()
            self._turns.wait()


def targets_of(
    workload: Workload, store: Store, policy: ViewPolicy, kind: str, folder: Path
) -> tuple[Targets | None, dict[str, object]]:
    """The teacher's targets, and what they cost to cache."""
    if kind == "control":
        return None, {"teacher": "none"}
    teacher = FrozenTeacher([network(workload, workload.teacher)])
    if kind == "live":
        return LiveTargets(teacher, KDViT.needs, precision=workload.precision), {"teacher": "live"}
    plan = plan_cache(
        store=store,
        rows=range(len(store)),
        policy=policy,
        teacher=teacher,
        needs=KDViT.needs,
        precision=workload.precision,
    )
    start = time.perf_counter()
    write_cache(plan, folder)
    seconds = time.perf_counter() - start
    return open_cache(plan, folder), {"teacher": "cached", "caching_seconds": seconds}


def settings_of(workload: Workload) -> TrainSettings:
    """The common optimiser; the checkpoint of every epoch stays on, the moving average is off."""
    return TrainSettings(
        epochs=workload.epochs,
        batch_size=workload.batch_size,
        lr=workload.lr,
        clip_norm=1.0,
        ema=None,
        select_by="loss",
        precision="bf16-mixed" if workload.precision == "bfloat16" else "32-true",
        seed=workload.seed,
    )


def unscored(_network: Network) -> Mapping[str, float]:
    """No validation: the other systems do none either."""
    return {"auroc": 0.5, "loss": 1.0}


def main(kind: str, folder: Path) -> None:
    """Serve epochs."""
    workload, turns = workload_from_arguments(), Turns()
    torch.set_num_threads(workload.threads)
    keep_freed_memory()  # as `medistill run` does
    torch.manual_seed(workload.seed)
    store = open_store(Path(workload.folder) / "store")
    policy = ViewPolicy(count=workload.views)
    targets, facts = targets_of(workload, store, policy, kind, folder / "targets")
    method: Method = Supervised()
    if kind != "control":
        method = KDViT(temperature=workload.temperature, soft_weight=workload.soft_weight)
    stream = ViewStream(
        store,
        torch.from_numpy(np.eye(workload.classes, dtype=np.float32)[workload.labels()]),
        range(len(store)),
        policy,
        batch_size=workload.batch_size,
        seed=workload.seed,
        student_size=workload.size,
        teacher_size=workload.size if kind == "live" else None,
        memory=RememberedViews(),
    )
    steps = workload.images // workload.batch_size
    # Loading libraries is nobody's training time; the others have loaded theirs by now too.
    import_module("torch.utils.tensorboard")
    settings = settings_of(workload)
    fabric = make_fabric(settings.precision)
    turns.ready(medistill=medistill.__version__, torch=torch.__version__, **facts)
    turns.wait()
    fit(
        network(workload, workload.student),
        method,
        stream=stream,
        targets=targets,
        settings=settings,
        steps_per_epoch=steps,
        folder=folder,
        score=unscored,
        progress=Epochs(turns, steps),
        fabric=fabric,
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        main(sys.argv[2], Path(place))

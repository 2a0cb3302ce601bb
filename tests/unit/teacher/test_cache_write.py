from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from medistill.core.errors import TargetsError
from medistill.data.views import ViewPolicy, draw_view, render_view
from medistill.teacher.cache import open_cache
from medistill.teacher.cache_plan import CachePlan
from medistill.teacher.cache_shards import map_shard, missing_shards, shard_path
from medistill.teacher.cache_write import write_cache
from medistill.teacher.frozen import FrozenTeacher
from tests.unit.teacher.small import cache_plan, constant


def numbers(plan: CachePlan, folder: Path) -> np.ndarray:
    shards = [map_shard(folder, plan.layout, shard) for shard in range(plan.layout.shards)]
    return np.concatenate(shards)


def test_the_matrix_holds_what_the_teacher_says_of_each_view(tmp_path: Path) -> None:
    plan = cache_plan()
    assert write_cache(plan, tmp_path, batch_size=7) == 87
    matrix = numbers(plan, tmp_path)
    assert matrix.dtype == np.float16
    for place, view in ((0, 1), (2, 3)):
        for image in (0, 11, 28):
            row = int(plan.rows[image])
            drawn = draw_view(plan.policy, content_hash=plan.store.hashes[row], view=view)
            pixels = render_view(plan.store[row], drawn, size=12, fit="stretch")
            said = plan.teacher.members[0](_tensor(pixels), frozenset({"stage0"}))
            expected = np.concatenate(
                [said.logits.numpy().ravel(), said.features["stage0"].numpy().ravel()]
            )
            np.testing.assert_allclose(matrix[place * 29 + image], expected, rtol=1e-3, atol=1e-5)


def _tensor(pixels: np.ndarray) -> object:
    import torch

    return torch.from_numpy(pixels)[None]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_and_workers_do_not_change_the_numbers(tmp_path: Path, workers: int) -> None:
    plan = cache_plan()
    write_cache(plan, tmp_path / "a", batch_size=16)
    write_cache(plan, tmp_path / "b", batch_size=16, workers=workers)
    write_cache(plan, tmp_path / "c", batch_size=3, workers=workers)
    np.testing.assert_array_equal(numbers(plan, tmp_path / "a"), numbers(plan, tmp_path / "b"))
    np.testing.assert_allclose(
        numbers(plan, tmp_path / "a"), numbers(plan, tmp_path / "c"), rtol=2e-3, atol=1e-4
    )


def test_only_what_is_missing_is_computed(tmp_path: Path) -> None:
    plan = cache_plan()
    told: list[tuple[int, int]] = []
    write_cache(plan, tmp_path, batch_size=8)
    first = numbers(plan, tmp_path).copy()
    assert write_cache(plan, tmp_path, batch_size=8) == 0
    for shard in (1, 5):
        shard_path(tmp_path, shard).unlink()
    made = write_cache(plan, tmp_path, batch_size=8, progress=lambda *at: told.append(at))
    assert made == 16 + 7
    assert told == [(72, 87), (80, 87), (87, 87)]
    np.testing.assert_array_equal(numbers(plan, tmp_path), first)


KILLING = """
import os, random, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from medistill.teacher.cache_write import write_cache
from medistill.teacher.frozen import FrozenTeacher
from tests.unit.teacher.small import cache_plan

folder = Path(sys.argv[1])
asked = os.open(folder / "asked.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

class Counting(FrozenTeacher):
    def targets(self, images, *rest, **more):
        os.write(asked, b"." * len(images))
        return super().targets(images, *rest, **more)

def rows_asked():
    return os.fstat(asked).st_size

plan = cache_plan()
object.__setattr__(plan, "teacher", Counting(list(plan.teacher.members)))
write_cache(cache_plan(), folder / "whole", batch_size=4)
random.seed(int(sys.argv[2]))

def killed_until_whole(target):
    kills = 0
    while True:
        enough = rows_asked() + random.randrange(45)
        child = os.fork()
        if child == 0:
            write_cache(plan, target, batch_size=4)
            os._exit(0)
        ended = (0, 0)
        while ended == (0, 0) and rows_asked() < enough:
            ended = os.waitpid(child, os.WNOHANG)
        if ended == (0, 0):
            # Anywhere between two rows, and so while a shard is written, synced or renamed too.
            time.sleep(random.uniform(0, 0.01))
            os.kill(child, signal.SIGKILL)
            ended = os.waitpid(child, 0)
        if os.WIFEXITED(ended[1]):
            assert os.WEXITSTATUS(ended[1]) == 0
            return kills
        kills += 1
        assert kills < 100

# How often a cache can be killed before it is whole depends on the machine: so the kills are
# counted, and not hoped for.
kills = []
while sum(kills) < 6:
    kills.append(killed_until_whole(folder / f"killed-{len(kills)}"))
    assert len(kills) < 100
print(*kills)
"""


def run(program: str, *arguments: object) -> str:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout


def test_a_kill_at_any_moment_loses_at_most_one_shard(tmp_path: Path) -> None:
    kills = [int(count) for count in run(KILLING, tmp_path, 1).split()]
    asked = (tmp_path / "asked.log").stat().st_size
    assert 87 * len(kills) <= asked <= 87 * len(kills) + sum(kills) * 16
    whole = tmp_path / "whole"
    names = {path.name for path in whole.iterdir()}
    for number in range(len(kills)):
        killed = tmp_path / f"killed-{number}"
        np.testing.assert_array_equal(numbers(cache_plan(), killed), numbers(cache_plan(), whole))
        assert {path.name for path in killed.iterdir()} == names


def test_too_small_a_disk_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 8_000})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    with pytest.raises(TargetsError, match=r"the cache needs 8\.6 kB and the disk has 8\.0 kB"):
        write_cache(cache_plan(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_keeps_the_finished_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, synced = cache_plan(), []

    def filling_up(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) > 5:  # the list of images, the manifest, three shards
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", filling_up)
        with pytest.raises(TargetsError, match=r"full after 3 of 6 shards, and 3\.0 kB more"):
            write_cache(plan, tmp_path)
    assert missing_shards(tmp_path, plan.layout) == [3, 4, 5]
    with pytest.raises(TargetsError, match="3 of 6 shards of the cache are missing"):
        open_cache(plan, tmp_path)
    assert write_cache(plan, tmp_path) == 87 - 48
    open_cache(plan, tmp_path)


FULL = """
import resource, sys
from pathlib import Path
from medistill.core.errors import TargetsError
from medistill.teacher.cache_write import write_cache
from tests.unit.teacher.small import cache_plan
plan = cache_plan(shard_rows=60)
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, resource.RLIM_INFINITY))
try:
    write_cache(plan, Path(sys.argv[1]))
except TargetsError as error:
    print(error)
"""


def test_the_largest_file_the_system_allows_is_a_full_disk_too(tmp_path: Path) -> None:
    # 60 rows of 78 bytes do not fit into 4,000 bytes.
    assert "the disk is full after 0 of 2 shards, and 6.8 kB more are needed" in run(FULL, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache.json", "images.npy"]


@pytest.mark.parametrize(
    ("value", "words"), [(65505.0, "65505"), (-1e6, "-1e"), (float("nan"), "nan")]
)
def test_a_number_that_float16_cannot_hold_is_refused(
    tmp_path: Path, value: float, words: str
) -> None:
    plan = cache_plan(
        teacher=FrozenTeacher([constant([0.0, 1.0], [1.0, value, 1.0])]),
        needs=frozenset({"logits", "pooled"}),
    )
    name = plan.store.names[int(plan.rows[0])]
    message = f"teacher, image {name}: its pooled for view 1 hold {words}.*at most 65504"
    with pytest.raises(TargetsError, match=message):
        write_cache(plan, tmp_path)
    assert missing_shards(tmp_path, plan.layout) == list(range(6))


def test_float32_holds_what_float16_cannot(tmp_path: Path) -> None:
    teacher = FrozenTeacher([constant([65505.0, 1.0])])
    plan = cache_plan(teacher=teacher, needs=frozenset({"logits"}), stored="float32")
    write_cache(plan, tmp_path)
    np.testing.assert_array_equal(numbers(plan, tmp_path), [[65505.0, 1.0]] * 87)


def test_the_largest_float16_is_stored_exactly(tmp_path: Path) -> None:
    teacher = FrozenTeacher([constant([65504.0, -65504.0])])
    plan = cache_plan(teacher=teacher, needs=frozenset({"logits"}), policy=ViewPolicy(count=1))
    write_cache(plan, tmp_path)
    np.testing.assert_array_equal(numbers(plan, tmp_path), [[65504, -65504]] * 29)

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medistill.core.errors import TargetsError
from medistill.core.files import read_json, write_json
from medistill.data.views import ViewPolicy
from medistill.imaging.preprocessing import Preprocessing
from medistill.models.network import Network
from medistill.teacher.cache import open_cache, verify_cache
from medistill.teacher.cache_write import write_cache
from medistill.teacher.frozen import FrozenTeacher
from tests.unit.data.memory_store import random_store
from tests.unit.teacher.small import cache_plan, drifting


def otherwise_normalised() -> FrozenTeacher:
    network = drifting()
    shape = replace(network.preprocessing, fit="pad")
    return FrozenTeacher([Network(network.backbone, shape)])


def with_one_buffer_changed() -> FrozenTeacher:
    network = drifting()
    network.get_submodule("backbone.norm").get_buffer("running_mean")[0] += 1e-3
    return FrozenTeacher([network])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    write_cache(cache_plan(), folder)
    return folder


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"teacher": FrozenTeacher([drifting(1)])}, "the teacher's weights or buffers differ"),
        ({"teacher": with_one_buffer_changed()}, "the teacher's weights or buffers differ"),
        (
            {"teacher": FrozenTeacher([drifting()], held_out={"a": 0})},
            "the folds of the cross-fitted teacher differ",
        ),
        ({"teacher": otherwise_normalised()}, "the teacher's preprocessing differ"),
        ({"store": random_store(30, seed=1)}, "the images (data) differ"),
        ({"rows": range(20)}, "the images (data) differ"),
        ({"policy": ViewPolicy(count=3, flip=False)}, "the view policy (views) differ"),
        ({"policy": ViewPolicy(count=4)}, "the view numbers (views.count) differ"),
        ({"precision": "bfloat16"}, "the precision differ"),
        ({"stored": "float32"}, "the precision differ"),
        ({"needs": frozenset({"logits"})}, "the names or shapes of the targets (method) differ"),
    ],
)
def test_a_foreign_cache_is_refused_with_what_differs(
    written: Path, changes: dict[str, Any], words: str
) -> None:
    plan = cache_plan(**changes)
    before = {path.name: path.stat().st_mtime_ns for path in written.iterdir()}
    for use in (
        lambda: open_cache(plan, written),
        lambda: write_cache(plan, written),
        lambda: verify_cache(plan, written),
        lambda: plan.is_whole(written),
    ):
        with pytest.raises(TargetsError, match=re.escape(f"something else: {words}")):
            use()
    assert {path.name: path.stat().st_mtime_ns for path in written.iterdir()} == before


def test_all_differences_are_named(written: Path) -> None:
    plan = cache_plan(teacher=FrozenTeacher([drifting(1)]), policy=ViewPolicy(count=3, seed=1))
    with pytest.raises(TargetsError, match=r"policy \(views\) and the teacher's weights.* differ"):
        open_cache(plan, written)


def test_a_resized_teacher_is_another_teacher(written: Path) -> None:
    larger = Network(drifting().backbone, Preprocessing(size=16, mean=(0.5,), std=(0.5,)))
    with pytest.raises(TargetsError, match="preprocessing and the names or shapes"):
        open_cache(cache_plan(teacher=FrozenTeacher([larger])), written)


def test_shards_of_unknown_origin_are_refused(tmp_path: Path) -> None:
    plan = cache_plan()
    write_cache(plan, tmp_path)
    (tmp_path / "cache.json").unlink()
    with pytest.raises(TargetsError, match=r"shards but no cache\.json"):
        write_cache(plan, tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "other", "key": {}, "layout": {}}'])
def test_a_damaged_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "cache.json").write_text(text)
    with pytest.raises(TargetsError, match=r"cache\.json is damaged or of another version"):
        write_cache(cache_plan(), tmp_path)


def test_a_damaged_list_of_images_is_refused(tmp_path: Path) -> None:
    plan = cache_plan()
    write_cache(plan, tmp_path)
    np.save(tmp_path / "images.npy", plan.hashes[::-1])
    with pytest.raises(TargetsError, match=r"images\.npy is damaged"):
        open_cache(plan, tmp_path)
    (tmp_path / "images.npy").write_bytes(b"torn")
    with pytest.raises(TargetsError, match=r"images\.npy is missing or damaged"):
        open_cache(plan, tmp_path)


def test_another_shard_size_goes_on_in_the_one_there_is(tmp_path: Path) -> None:
    write_cache(cache_plan(shard_rows=16), tmp_path)
    (tmp_path / "shard-00001.npy").unlink()
    other = cache_plan(shard_rows=10)
    assert write_cache(other, tmp_path) == 16
    assert open_cache(other, tmp_path).layout.shard_rows == 16
    assert verify_cache(other, tmp_path).rows == 64


def test_the_manifest_says_in_plain_json_what_it_belongs_to(written: Path) -> None:
    manifest = read_json(written / "cache.json")
    assert manifest["key"]["teacher"] == FrozenTeacher([drifting()]).weights_hash
    assert manifest["layout"]["shapes"] == {"logits": [3], "stage0": [4, 3, 3]}
    write_json(written.parent / "copy.json", manifest)

"""A probed teacher: cross-fitted members on one body that keeps its published weights."""

from __future__ import annotations

import dataclasses
import errno
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from medistill.core.errors import RecipeError, RunFolderError
from medistill.data.views import ViewPolicy
from medistill.models.build import ModelSpec, build_model
from medistill.models.probe import StageProbe, probed
from medistill.models.profile import count_parameters, multiply_adds
from medistill.models.published import published_weights
from medistill.recipe import ProbeBlock, load_recipe
from medistill.stages import probe as stage
from medistill.stages.data import open_data
from medistill.stages.probe import ProbeFitter
from medistill.stages.run import open_run, teach
from medistill.stages.stage_means import StageMeans
from medistill.stages.teacher import open_teacher
from tests.elsewhere import elsewhere
from tests.unit.stages.conftest import SMALL

PROBE = (
    "teacher.model={name: tf_efficientnet_lite0, image_size: 32}",
    "teacher.weights=published",
    "teacher.fit=null",
    "teacher.probe={views: 2, penalties: [0.1, 1.0]}",
)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return teach("demo", out=tmp_path_factory.mktemp("probe") / "run", overrides=(*SMALL, *PROBE))


def test_bodies_are_the_published_ones_and_heads_differ(taught: Path) -> None:
    teacher = open_teacher(open_run(taught), open_data(taught / "data"), 0)
    published = published_weights("tf_efficientnet_lite0")
    heads = []
    for member in teacher.members:
        probe = member.backbone
        assert isinstance(probe, StageProbe)
        body = probe.body.state_dict()
        same = [name for name in published if not name.startswith("classifier")]
        assert all(torch.equal(body[name], published[name]) for name in same)
        heads.append(probe.head.weight)
    assert len(heads) == 2
    assert not torch.equal(heads[0], heads[1])


def test_one_body_is_asked_once_for_all_members(
    taught: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = open_data(taught / "data")
    teacher = open_teacher(open_run(taught), prepared, 0)
    asked: list[int] = []

    def counted(self: StageProbe, x: torch.Tensor, want: frozenset[str]) -> object:
        asked.append(len(x))
        return read(self, x, want)

    read = StageProbe._read
    monkeypatch.setattr(StageProbe, "_read", counted)
    rows = [*list(prepared.parts[0].fit)[:6], *list(prepared.parts[0].evaluate)[:2]]
    hashes = [prepared.store.hashes[row] for row in rows]
    teacher.targets(torch.rand(8, 1, 32, 32), frozenset({"logits"}), hashes)
    assert asked == [8]


def test_members_know_what_they_were_fitted_on(taught: Path) -> None:
    prepared = open_data(taught / "data")
    teacher = open_teacher(open_run(taught), prepared, 0)
    rows = list(prepared.parts[0].fit)
    batch = torch.rand(1, 1, 32, 32)
    asked = [
        teacher.targets(batch, frozenset({"logits"}), [prepared.store.hashes[row]])["logits"]
        for row in rows
    ]
    # Each image has one member that never saw it, so the same pixels get two different answers.
    assert len({tuple(answer.flatten().tolist()) for answer in asked}) == 2


def test_several_labels_are_fitted_with_the_images_that_know_them(
    taught: Path, tmp_path: Path
) -> None:
    prepared = open_data(taught / "data")
    images = dataclasses.replace(prepared.images, task="multi-label")
    labels = prepared.labels.copy()
    labels[:, 1] = np.nan  # nobody knows the second label
    several = dataclasses.replace(prepared, images=images, labels=labels)
    teacher = open_teacher(open_run(taught), prepared, 0)
    network = teacher.members[0]
    rows = list(prepared.parts[0].fit)
    block, policy = ProbeBlock(views=1, penalties=(0.1,)), load_recipe("demo").views
    fitter = ProbeFitter(several, block, policy, StageMeans(tmp_path, views=1))
    found = fitter.fit(network, rows, rows)
    with torch.no_grad():
        batch = torch.stack([torch.from_numpy(np.zeros((1, 32, 32), np.float32))])
        chances = torch.sigmoid(network(batch).logits)[0]
    assert chances[1].item() == pytest.approx(0.5)
    shares = np.nanmean(labels[rows, 0])
    assert found.losses[0.1] < -(shares * np.log(shares) + (1 - shares) * np.log(1 - shares))


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (("teacher.probe={views: 1}",), "not both"),
        (("teacher.fit=null", "teacher.probe={views: 1}", "teacher.weights=null"), "random"),
    ],
)
def test_impossible_probes_are_refused(overrides: tuple[str, ...], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        load_recipe("demo", overrides=overrides)


def test_what_a_body_said_is_kept_for_the_next_fold(taught: Path, tmp_path: Path) -> None:
    prepared, policy = open_data(taught / "data"), ViewPolicy(count=2)
    network = probed(build_model(ModelSpec(name="tf_efficientnet_lite0", image_size=32), classes=2))
    rows, shown = prepared.parts[0].fit[:4], []
    seen = StageMeans(tmp_path, views=2)
    body = network.backbone.body
    assert isinstance(body, torch.nn.Module)
    body.register_forward_hook(lambda *_: shown.append(1))
    for _ in range(2):
        fitter = ProbeFitter(prepared, ProbeBlock(views=2, penalties=(1.0,)), policy, seen)
        fitter.fit(network, rows, rows)
    assert len(shown) == 1
    assert seen.missing([*rows, -1]) == [-1]
    assert list(tmp_path.iterdir()) == []


def test_views_of_an_interrupted_image_are_asked_again(tmp_path: Path) -> None:
    kept = StageMeans(tmp_path, views=3)
    means = np.arange(24, dtype=np.float32).reshape(12, 2)

    def torn() -> Iterator[NDArray[np.float32]]:
        yield means[:4]
        raise KeyboardInterrupt

    kept.add([7], [means[:2], means[2:3]])
    with pytest.raises(KeyboardInterrupt):
        kept.add([2, 5], torn())
    assert kept.missing([7, 5, 2, 5]) == [2, 5]
    kept.add([2, 5], [means[6:11], means[11:]])
    found = np.concatenate(list(kept.blocks([5, 7, 2], views=2)))
    np.testing.assert_array_equal(found, means[[9, 10, 0, 1, 6, 7]])


def test_a_full_disk_is_told(taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no")

    prepared, block = open_data(taught / "data"), ProbeBlock(views=1, penalties=(1.0,))
    network = probed(build_model(ModelSpec(name="tf_efficientnet_lite0", image_size=32), classes=2))
    fitter = ProbeFitter(prepared, block, ViewPolicy(), StageMeans(tmp_path, views=1))
    monkeypatch.setattr("medistill.core.row_file.RowFile.append", full)
    with pytest.raises(RunFolderError, match="cannot be written: No space left on device"):
        fitter.fit(network, prepared.parts[0].fit[:4], prepared.parts[0].fit[:4])


def test_a_body_is_shown_images_on_the_device_of_the_run(
    taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = open_data(taught / "data")
    recipe = open_run(taught).recipe
    network = probed(build_model(ModelSpec(name="tf_efficientnet_lite0", image_size=32), classes=2))
    rows, block = prepared.parts[0].fit[:2], ProbeBlock(views=2)

    def shown() -> NDArray[np.float32]:
        seen = StageMeans(tmp_path, views=2)
        ProbeFitter(prepared, block, recipe.views, seen)._show(network, network.backbone, rows)
        return np.concatenate(list(seen.blocks(rows, views=2)))

    expected = shown()
    with elsewhere() as there:
        monkeypatch.setattr(stage, "run_device", lambda: there)
        found = shown()
        assert next(network.parameters()).device == there
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_probed_teacher_costs_one_body_and_all_heads(taught: Path) -> None:
    teacher = open_teacher(open_run(taught), open_data(taught / "data"), 0)
    whole, first = teacher.as_network(), teacher.members[0]
    head = first.backbone.head.weight.numel() + first.backbone.head.bias.numel()
    assert count_parameters(whole) == count_parameters(first) + head
    assert multiply_adds(whole) == multiply_adds(first) + first.backbone.head.weight.numel()

"""A probe's linear layer is scikit-learn's logistic regression on standardised means."""

from __future__ import annotations

import functools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from medistill.core.row_file import mapped_rows
from medistill.models.build import ModelSpec, build_model
from medistill.models.network import Network
from medistill.models.probe import StageProbe, probed
from medistill.train import probe as fitting
from medistill.train.probe import Examples, fit_probe


def _probe(classes: int) -> tuple[Network, StageProbe]:
    spec = ModelSpec(name="vit", image_size=32, width=16, depth=2, heads=2)
    network = probed(build_model(spec, classes=classes))
    assert isinstance(network.backbone, StageProbe)
    return network, network.backbone


def _examples(seed: int, width: int, classes: int, count: int = 60) -> Examples:
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    means = draw.normal(size=(count, width)) * 3 + 5
    means[:, 0] += labels
    return Examples(means=means, labels=labels)


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_are_those_of_scikit_learn(classes: int) -> None:
    network, probe = _probe(classes)
    network.eval()
    images = torch.rand(8, 1, 32, 32)
    with torch.no_grad():
        means = probe.stage_means(network.normalised(images)).double().numpy()
    fit, select = (_examples(seed, means.shape[1], classes) for seed in (0, 1))
    fit_probe(probe, fit, select, [0.5])
    with torch.no_grad():
        ours = network(images).logits.softmax(dim=1).numpy()

    other = LogisticRegression(C=1 / (0.5 * len(fit.labels)), max_iter=1000)
    pipeline = make_pipeline(StandardScaler(), other).fit(fit.means, fit.labels)
    np.testing.assert_allclose(ours, pipeline.predict_proba(means), atol=1e-5)


def test_the_penalty_with_the_smallest_loss_on_select_is_kept() -> None:
    _, probe = _probe(2)
    # Labels of pure noise: the strongest penalty predicts best what it has not seen.
    width = len(probe.mean)
    draw = np.random.default_rng(0)
    noise = [
        Examples(means=draw.normal(size=(40, width)), labels=draw.permutation(np.arange(40) % 2))
        for _ in range(2)
    ]
    found = fit_probe(probe, noise[0], noise[1], [1e-4, 1e-2, 10.0])
    assert found.penalty == 10.0
    assert found.losses[10.0] < found.losses[1e-2] < found.losses[1e-4]
    assert str(found).startswith("penalty 10 ")


def test_the_body_keeps_its_weights() -> None:
    _, probe = _probe(2)
    before = {name: value.clone() for name, value in probe.body.state_dict().items()}
    fit_probe(probe, _examples(0, len(probe.mean), 2), _examples(1, len(probe.mean), 2), [0.1])
    assert all(torch.equal(value, before[key]) for key, value in probe.body.state_dict().items())
    assert probe.head.weight.abs().max() > 0


def test_a_class_that_does_not_occur_is_refused() -> None:
    _, probe = _probe(3)
    two = _examples(0, len(probe.mean), 2)
    with pytest.raises(ValueError, match="every class"):
        fit_probe(probe, two, two, [0.1])


def test_each_of_several_labels_is_scikit_learns_regression_on_what_is_known() -> None:
    network, probe = _probe(3)
    network.eval()
    images = torch.rand(8, 1, 32, 32)
    with torch.no_grad():
        means = probe.stage_means(network.normalised(images)).double().numpy()
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(60, means.shape[1])) * 3 + 5
    labels = (draw.random((60, 3)) < 0.4).astype(np.float64)
    labels[::7, 0] = np.nan
    labels[:, 2] = 0.0
    fit = Examples(means=inputs, labels=labels)
    found = fit_probe(probe, fit, fit, [0.5])
    with torch.no_grad():
        ours = torch.sigmoid(network(images).logits).numpy()
        seen = torch.sigmoid(
            probe.head(torch.from_numpy((inputs - inputs.mean(0)) / inputs.std(0)).float())
        )

    scaler = StandardScaler().fit(inputs)
    for label in (0, 1):
        known = ~np.isnan(labels[:, label])
        other = LogisticRegression(C=1 / (0.5 * known.sum()), max_iter=1000)
        other.fit(scaler.transform(inputs[known]), labels[known, label])
        expected = other.predict_proba(scaler.transform(means))[:, 1]
        np.testing.assert_allclose(ours[:, label], expected, atol=1e-5)
    # Never yes among 60: half an image of each.
    np.testing.assert_allclose(ours[:, 2], 0.5 / 61, atol=1e-6)
    truth, chances = torch.from_numpy(labels), seen.double()
    each = -(truth * chances.log() + (1 - truth) * (1 - chances).log())
    assert found.losses[0.5] == pytest.approx(each.nansum(dim=1).mean().item(), rel=1e-4)


@pytest.mark.parametrize("several", [False, True])
def test_means_in_a_file_give_the_same_fit(
    several: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, probe = _probe(3)
    examples = _examples(0, len(probe.mean), 3)
    if several:
        labels = np.eye(3)[examples.labels]
        labels[::7, 0] = np.nan
        examples = Examples(means=examples.means, labels=labels)
    found, heads = [], []
    # One block in memory; many blocks in files.
    for rows, gather in (
        (4096, fitting.in_memory),
        (7, functools.partial(mapped_rows, folder=tmp_path)),
    ):
        monkeypatch.setattr(fitting, "_BLOCK", rows)
        found.append(fit_probe(probe, examples, examples, [0.1, 1.0], gather=gather))
        heads.append(probe.head.weight.detach().clone())
    assert found[0].losses == pytest.approx(found[1].losses, rel=1e-9)
    torch.testing.assert_close(heads[0], heads[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("several", [False, True])
def test_no_copy_of_means_in_a_file_is_made_in_memory(several: bool, tmp_path: Path) -> None:
    _, probe = _probe(2)
    gather = functools.partial(mapped_rows, folder=tmp_path)
    made = _examples(0, len(probe.mean), 2, count=150_000)
    labels = made.labels
    if several:
        labels = np.eye(2)[labels]
        labels[::7, 0] = np.nan
    size = made.means.nbytes
    mapped = Examples(means=gather(iter([made.means.astype(np.float32)])), labels=labels)
    few = Examples(means=mapped.means[:100], labels=labels[:100])
    del made
    fit_probe(probe, few, few, [1.0])  # what is imported on the way is no copy
    tracemalloc.start()
    try:
        fit_probe(probe, mapped, few, [1.0], gather=gather)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < size / 2

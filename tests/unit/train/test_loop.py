"""The loop: resumes bit for bit, logs what adds up, chooses on *select*, refuses what is wrong."""

from __future__ import annotations

import copy
import csv
import math
import multiprocessing
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import safetensors.torch
import torch
from torch import nn

from medistill.core.errors import MachineError, RecipeError, RunFolderError
from medistill.methods.embedding import Embedding
from medistill.methods.kdvit import KDViT
from medistill.methods.supervised import Supervised
from medistill.train.epoch_log import TrainingDivergedError
from medistill.train.progress import ProgressEvent
from medistill.train.seeding import seed_step
from tests.unit.train.small import (
    BATCH,
    MIXING,
    NAN,
    STEPS,
    Sayings,
    Stream,
    last_state,
    make_batch,
    make_network,
    make_settings,
    state_hash,
    train_slowly,
    train_small,
)


def _kill_after(folder: Path, steps: int) -> None:
    """Train in another process until so many steps were told, then a little, and kill -9."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.unit.train.small"])
    listener, teller = context.Pipe(duplex=False)
    process = context.Process(target=train_slowly, args=(folder, teller))
    process.start()
    teller.close()
    for _ in range(steps):
        listener.recv()
    time.sleep(random.uniform(0, 0.02))
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL


@pytest.fixture
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_killed_and_resumed_gives_the_same_weights_bit_for_bit(
    tmp_path: Path, one_thread: None
) -> None:
    whole = train_small(tmp_path / "whole", settings=MIXING)
    for epochs_done in (1, 2):  # in the second and, after a resume, in the third epoch
        _kill_after(tmp_path / "killed", STEPS + random.randint(1, STEPS - 1))
        assert last_state(tmp_path / "killed")["epoch"] == epochs_done
    resumed = train_small(tmp_path / "killed", settings=MIXING)

    one, two = last_state(tmp_path / "whole"), last_state(tmp_path / "killed")
    assert state_hash(one["trainee"]) == state_hash(two["trainee"])
    assert state_hash(one["ema"]) == state_hash(two["ema"])
    assert whole.weights_path.read_bytes() == resumed.weights_path.read_bytes()
    timeless = [
        [{k: v for k, v in row.items() if "second" not in k} for row in result.history]
        for result in (whole, resumed)
    ]
    assert timeless[0] == timeless[1]


def test_interrupt_leaves_a_usable_checkpoint(tmp_path: Path) -> None:
    def interrupt(event: ProgressEvent) -> None:
        if event.step == STEPS + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_small(tmp_path, progress=interrupt)
    assert last_state(tmp_path)["epoch"] == 1
    stream = Stream()
    assert train_small(tmp_path, stream=stream).epochs == 4
    assert stream.asked == [(0, 1), (STEPS, 4 * STEPS)]


def test_weights_equal_those_of_a_loop_written_out(tmp_path: Path) -> None:
    settings = make_settings(
        epochs=2, clip_norm=0.5, weight_decay=0.3, min_lr=0.001, precision="32-true"
    )
    train_small(tmp_path, settings=settings)

    network, method, teacher = make_network(), KDViT(), Sayings()
    average = copy.deepcopy(network.state_dict())
    groups: list[dict[str, Any]] = [{"params": [], "weight_decay": d} for d in (0.3, 0.0)]
    for name, parameter in network.named_parameters():
        plain = parameter.ndim == 1 or name.endswith(("pos_embed", "cls_token"))
        groups[plain]["params"].append(parameter)
    optimiser = torch.optim.AdamW(groups)
    network.train()
    for step in range(2 * STEPS):
        batch = make_batch(step)
        seed_step(0, step, device=torch.device("cpu"))
        terms = method.terms(network(batch.images), teacher.get(batch), batch, nn.ModuleDict())
        optimiser.zero_grad()
        (terms["hard"] + terms["soft"]).backward()
        norm = torch.stack(
            [p.grad.norm() for p in network.parameters() if p.grad is not None]
        ).norm()
        for parameter in network.parameters():
            assert parameter.grad is not None
            parameter.grad *= min(1.0, 0.5 / norm.item())
        for group in optimiser.param_groups:
            group["lr"] = _rate_by_hand(step)
        optimiser.step()
        decay = min(0.5 ** (1 / 1), (1 + step) / (10 + step))  # ten steps: half-life of one
        for name, value in network.state_dict().items():
            average[name] = decay * average[name] + (1 - decay) * value

    saved = last_state(tmp_path)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(saved["trainee"][f"network.{name}"], value, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(dict(saved["ema"]), dict(average), rtol=1e-3, atol=1e-5)


def _rate_by_hand(step: int) -> float:
    """Five steps up to 0.003, five down half a cosine towards 0.001."""
    if step < 5:
        return 0.0006 * (step + 1)
    return 0.002 + 0.001 * math.cos(math.pi * (step - 5) / 5)


def test_training_learns_and_leaves_the_best_weights(tmp_path: Path) -> None:
    network = make_network()
    settings = make_settings(epochs=8, lr=0.01)
    result = train_small(tmp_path, settings=settings, network=network)
    assert result.best_score > 0.9
    weights = safetensors.torch.load_file(result.weights_path)
    assert result.weights_path == tmp_path / "weights.safetensors"
    assert state_hash(weights) == state_hash(network.backbone.state_dict())
    assert not (tmp_path / "best.safetensors").exists()
    row = result.history[result.best_epoch - 1]
    assert row[f"select.{result.which}.auroc"] == result.best_score


def test_terms_add_up_to_the_loss(tmp_path: Path) -> None:
    rows = train_small(tmp_path).history
    for row in rows:
        assert row["loss"] == pytest.approx(row["term.hard"] + row["term.soft"], rel=1e-6)
        assert row["term.soft"] > 0


def test_history_is_not_doubled_after_a_resume(tmp_path: Path) -> None:
    def interrupt(event: ProgressEvent) -> None:
        if event.step == 2 * STEPS + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_small(tmp_path, progress=interrupt)
    train_small(tmp_path)
    with (tmp_path / "history.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["step"] for row in rows] == ["5", "10", "15", "20"]
    wanted = {"lr", "loss", "grad_norm", "seconds", "images_per_second", "select.ema.loss"}
    assert wanted <= set(rows[0])
    assert _tensorboard_steps(tmp_path / "tensorboard", "loss") == [5, 10, 15, 20]


def _tensorboard_steps(folder: Path, tag: str) -> list[int]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return [event.step for event in events.Scalars(tag)]


def test_finished_training_is_not_repeated(tmp_path: Path) -> None:
    first = train_small(tmp_path)
    before = (tmp_path / "last.pt").stat().st_mtime_ns
    stream = Stream()
    again = train_small(tmp_path, stream=stream)
    assert stream.asked == [(0, 1)]  # the example for the adapters' shapes
    assert again == first
    assert (tmp_path / "last.pt").stat().st_mtime_ns == before


def test_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    train_small(tmp_path, inputs={"data": "aaa"})
    with pytest.raises(RunFolderError, match=r"train\.lr was 0\.003, is 0\.001") as error:
        train_small(tmp_path, settings=make_settings(lr=0.001), inputs={"data": "bbb"})
    assert "inputs.data was aaa, is bbb" in str(error.value)
    with pytest.raises(RunFolderError, match=r"method\.temperature was 4\.0, is 2\.0"):
        train_small(tmp_path, KDViT(temperature=2.0), inputs={"data": "aaa"})


@dataclass(frozen=True, kw_only=True)
class Exploding:
    """A method whose second term is infinite from a step on."""

    needs: ClassVar[frozenset[str]] = frozenset()
    smallest_batch: ClassVar[int] = 1

    def wants(self, student: Any) -> frozenset[str]:
        return frozenset()

    def adapters(self, student_dims: Any, teacher_dims: Any) -> nn.ModuleDict:
        return nn.ModuleDict()

    def terms(self, outputs: Any, targets: Any, batch: Any, adapters: Any) -> dict[str, Any]:
        calm = outputs.logits.square().mean()
        broken = NAN if batch.images.mean() == BROKEN_MEAN else 0.0
        return {"calm": calm, "wild": calm * broken}


BROKEN_MEAN = next(Stream().batches(STEPS + 2, STEPS + 3)).images.mean()


def test_divergence_names_term_and_step_and_keeps_the_last_epoch(tmp_path: Path) -> None:
    pattern = (
        r"epoch 2, step 7: term\.wild became nan; .*last\.pt still holds epoch 1\. .*train\.lr"
    )
    with pytest.raises(TrainingDivergedError, match=pattern):
        train_small(tmp_path, Exploding(), targets=None)
    assert last_state(tmp_path)["epoch"] == 1


def test_mixing_with_targets_of_single_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"train\.mixup: .* single images"):
        train_small(tmp_path, settings=make_settings(mixup=0.2), targets=Sayings(mixable=False))
    assert not list(tmp_path.iterdir())


def test_adapters_are_trained_and_kept_out_of_the_weights(tmp_path: Path) -> None:
    result = train_small(tmp_path, Embedding())
    saved = last_state(tmp_path)["trainee"]
    torch.manual_seed(0)
    fresh = nn.Linear(16, 12).weight
    assert saved["adapters.pooled.weight"].shape == (12, 16)
    assert not torch.equal(saved["adapters.pooled.weight"], fresh)
    names = set(safetensors.torch.load_file(result.weights_path))
    assert names == set(make_network().backbone.state_dict())


def test_patience_stops_without_a_better_checkpoint(tmp_path: Path) -> None:
    settings = make_settings(epochs=9, patience=2, ema=None)
    aurocs = iter([0.5, 0.7, 0.6, 0.7])
    result = train_small(
        tmp_path, settings=settings, score=lambda _: {"auroc": next(aurocs), "loss": 1.0}
    )
    assert (result.epochs, result.best_epoch, result.best_score) == (4, 2, 0.7)
    assert train_small(tmp_path, settings=settings).epochs == 4


def test_select_decides_between_raw_and_average(tmp_path: Path) -> None:
    modes: list[bool] = []

    def prefers_second(network: Any) -> dict[str, float]:
        modes.append(network.training or torch.is_grad_enabled())
        return {"auroc": 0.5 + 0.1 * (len(modes) % 2 == 0), "loss": 1.0}

    result = train_small(tmp_path, score=prefers_second)
    assert (result.which, result.best_epoch, result.best_score) == ("ema", 1, 0.6)
    assert modes == [False] * 8
    raw = make_settings(ema=None)
    assert train_small(tmp_path / "raw", settings=raw).which == "raw"


def test_progress_tells_every_step_and_the_time_left(tmp_path: Path) -> None:
    events: list[ProgressEvent] = []
    train_small(tmp_path, Supervised(), targets=None, progress=events.append)
    assert [event.step for event in events] == list(range(1, 21))
    assert {event.epoch for event in events} == {1, 2, 3, 4}
    assert events[0].eta_seconds > events[-1].eta_seconds == 0
    assert all(event.loss is not None and event.loss > 0 for event in events)
    last = events[-1]
    assert last.images_per_second == pytest.approx(20 * BATCH / last.seconds)


def test_dropout_does_not_depend_on_what_else_draws(tmp_path: Path) -> None:
    def noisy(event: ProgressEvent) -> None:
        torch.rand(event.step)

    one = train_small(tmp_path / "one")
    two = train_small(tmp_path / "two", progress=noisy)
    assert one.weights_path.read_bytes() == two.weights_path.read_bytes()


class Inexact(Supervised):
    """A term that has no deterministic form, on a processor either."""

    def terms(self, outputs: Any, targets: Any, batch: Any, adapters: Any) -> Any:
        torch.zeros(3).put_(torch.tensor([0]), torch.ones(1))
        return super().terms(outputs, targets, batch, adapters)


def test_exact_training_says_which_operation_it_cannot_have(tmp_path: Path) -> None:
    train_small(tmp_path / "plain", Inexact(), make_settings(epochs=2))
    with pytest.raises(
        MachineError, match=r"^--exact: put_ has no .* on the processor: put CUDA_VISIBLE_DEVICES="
    ):
        train_small(tmp_path / "exact", Inexact(), make_settings(epochs=2, exact=True))

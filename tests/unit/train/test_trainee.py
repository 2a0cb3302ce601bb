"""One module for network and adapters, whose adapters fit both sides."""

from __future__ import annotations

from typing import Any

import torch

from medistill.methods.embedding import Embedding
from medistill.methods.kdvit import KDViT
from medistill.methods.supervised import Supervised
from medistill.train.lessons import Lesson, Lessons
from medistill.train.precision import make_fabric
from medistill.train.trainee import make_trainee
from tests.elsewhere import elsewhere
from tests.unit.train.small import Sayings, Stream, make_batch, make_network, make_settings

CPU = torch.device("cpu")


def _lessons(targets: Sayings | None, device: torch.device = CPU) -> Lessons:
    return Lessons(
        stream=Stream(),
        targets=targets,
        settings=make_settings(),
        task="single-label",
        device=device,
    )


def test_adapters_fit_student_and_teacher() -> None:
    trainee = make_trainee(make_network(), Embedding(), _lessons(Sayings()))
    assert trainee.adapters["pooled"].weight.shape == (12, 16)
    names = dict(trainee.named_parameters())
    assert "adapters.pooled.bias" in names
    assert "network.backbone.cls_token" in names


def test_network_and_adapters_are_on_one_device() -> None:
    with elsewhere() as there:
        network = make_network().to(there)
        trainee = make_trainee(network, Embedding(), _lessons(Sayings(), there))
        assert {each.device for each in trainee.state_dict().values()} == {there}


def test_forward_gives_the_methods_terms() -> None:
    batch = make_batch()
    trainee = make_trainee(make_network(), KDViT(), _lessons(Sayings())).eval()
    terms = trainee(Lesson(batch, Sayings().get(batch)))
    outputs = trainee.network(batch.images)
    expected = KDViT().terms(outputs, Sayings().get(batch), batch, trainee.adapters)
    assert {name: term.item() for name, term in terms.items()} == {
        name: term.item() for name, term in expected.items()
    }


def test_without_targets_no_batch_is_fetched() -> None:
    lessons = _lessons(None)
    make_trainee(make_network(), Supervised(), lessons)
    assert isinstance(lessons.stream, Stream)
    assert lessons.stream.asked == []


def test_autocast_rounds_neither_labels_nor_targets() -> None:
    seen: list[Any] = []

    class Spy(Supervised):
        def terms(self, outputs: Any, targets: Any, batch: Any, adapters: Any) -> Any:
            seen.append((batch.images.dtype, batch.labels.dtype, targets["logits"].dtype))
            seen.append(torch.is_autocast_enabled("cpu"))
            return super().terms(outputs, targets, batch, adapters)

    trainee = make_trainee(make_network(), Spy(), _lessons(None))
    fabric = make_fabric("bf16-mixed")
    wrapped = fabric.setup(trainee)
    batch = make_batch()
    wrapped(Lesson(batch, Sayings().get(batch)))
    assert seen == [(torch.float32, torch.float32, torch.float32), True]

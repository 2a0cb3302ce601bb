from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from medistill.core.errors import TargetsError
from medistill.models.build import ModelSpec, build_model
from medistill.models.network import Network
from medistill.models.probe import probed
from medistill.teacher.frozen import FrozenTeacher
from tests.unit.teacher.small import constant, drifting

LOGITS = frozenset({"logits"})
HASHES = ["a", "b", "c", "d"]


def images(count: int = 4, size: int = 12) -> torch.Tensor:
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(1))


def three_train_steps(module: nn.Module, teacher: FrozenTeacher) -> None:
    """What a training loop does around a teacher that it holds."""
    student = nn.Linear(144, 3)
    optimiser = torch.optim.SGD(student.parameters(), lr=0.1)
    for _ in range(3):
        module.train()
        teacher.train(True)
        targets = teacher.targets(images(), LOGITS, HASHES)["logits"]
        loss = functional.mse_loss(student(images().flatten(1)), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


def test_batch_norm_and_dropout_do_not_move_in_a_training() -> None:
    network = drifting()
    teacher = FrozenTeacher([network])
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    first = teacher.targets(images(), LOGITS, HASHES)["logits"]
    three_train_steps(nn.ModuleList([teacher]), teacher)
    assert all(torch.equal(buffers[name], b) for name, b in network.named_buffers())
    assert torch.equal(teacher.targets(images(), LOGITS, HASHES)["logits"], first)
    before, after = teacher.verify_unchanged()
    assert before == after == teacher.weights_hash


def test_the_same_network_unfrozen_would_have_drifted() -> None:
    network = drifting().train()
    mean = network.get_submodule("backbone.norm").get_buffer("running_mean").clone()
    network(images())
    assert not torch.equal(mean, network.get_submodule("backbone.norm").get_buffer("running_mean"))


def test_a_member_switched_behind_its_back_still_answers_in_eval_mode() -> None:
    network = drifting()
    teacher = FrozenTeacher([network])
    first = teacher.targets(images(), LOGITS, HASHES)["logits"]
    network.train()
    assert torch.equal(teacher.targets(images(), LOGITS, HASHES)["logits"], first)
    teacher.verify_unchanged()


def test_no_parameter_can_be_given_a_gradient() -> None:
    teacher = FrozenTeacher([drifting()])
    teacher.requires_grad_(True)
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


@pytest.mark.parametrize("name", ["backbone.head.weight", "backbone.norm.running_var", "mean"])
def test_a_change_of_weights_or_buffers_is_noticed(name: str) -> None:
    network = drifting()
    teacher = FrozenTeacher([drifting(1), network])
    with torch.no_grad():
        dict([*network.named_parameters(), *network.named_buffers()])[name].flatten()[0] += 1
    with pytest.raises(RuntimeError, match="the frozen teacher changed"):
        teacher.verify_unchanged()


def test_targets_are_float32_without_gradient_and_can_be_saved_for_one() -> None:
    teacher = FrozenTeacher([drifting()])
    targets = teacher.targets(images(), frozenset({"logits", "stage0"}), HASHES)
    assert {name: tuple(value.shape) for name, value in targets.items()} == {
        "logits": (4, 3),
        "stage0": (4, 4, 3, 3),
    }
    student = torch.ones(4, 3, requires_grad=True)
    (student * targets["logits"]).sum().backward()
    assert student.grad is not None
    assert torch.equal(student.grad, targets["logits"])
    assert not targets["logits"].requires_grad
    assert not targets["logits"].is_inference()


def test_lower_precision_computes_lower_and_answers_in_float32() -> None:
    teacher = FrozenTeacher([drifting()])
    full = teacher.targets(images(), LOGITS, HASHES)["logits"]
    half = teacher.targets(images(), LOGITS, HASHES, precision="bfloat16")["logits"]
    assert half.dtype == torch.float32
    assert not torch.equal(half, full)
    torch.testing.assert_close(half, full, atol=0.03, rtol=0.03)


def two_members(**more: object) -> FrozenTeacher:
    """Members that say (.8, .2) and (.4, .6); the second adds 10 to its logits."""
    members = [
        constant([math.log(0.8), math.log(0.2)], [1.0, 3.0]),
        constant([math.log(0.4) + 10, math.log(0.6) + 10], [2.0, 5.0]),
    ]
    return FrozenTeacher(members, **more)  # type: ignore[arg-type]


def test_an_image_gets_the_member_that_never_saw_it_and_a_new_one_the_mean() -> None:
    teacher = two_members(held_out={"b": 0, "d": 1})
    said = teacher.targets(images(), frozenset({"logits", "pooled"}), HASHES)
    probabilities = said["logits"].softmax(dim=1)[:, 0]
    # New images: (.8 + .4) / 2 = .6, whatever the size of the second member's logits.
    torch.testing.assert_close(probabilities, torch.tensor([0.6, 0.8, 0.6, 0.4]))
    torch.testing.assert_close(
        said["pooled"], torch.tensor([[1.5, 4.0], [1.0, 3.0], [1.5, 4.0], [2.0, 5.0]])
    )
    # One member alone gives its raw logits.
    torch.testing.assert_close(said["logits"][3], torch.tensor([0.4, 0.6]).log() + 10)


def test_every_image_in_a_fold_of_its_own_keeps_the_order_of_the_batch() -> None:
    teacher = two_members(held_out={"a": 1, "b": 0, "c": 1, "d": 0})
    said = teacher.targets(images(), LOGITS, HASHES)["logits"].softmax(dim=1)[:, 0]
    torch.testing.assert_close(said, torch.tensor([0.4, 0.8, 0.4, 0.8]))


def test_each_row_holds_the_answer_about_its_own_image() -> None:
    members = [drifting(0), drifting(1)]
    teacher = FrozenTeacher(members, held_out={"a": 1, "b": 0, "d": 1})
    pixels = images()
    said = teacher.targets(pixels, frozenset({"logits", "stage0"}), HASHES)
    for row, member in ((0, 1), (1, 0), (3, 1)):
        alone = members[member](pixels[row : row + 1], frozenset({"stage0"}))
        torch.testing.assert_close(said["logits"][row], alone.logits[0], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(
            said["stage0"][row], alone.features["stage0"][0], atol=1e-5, rtol=1e-4
        )


def test_the_mean_of_labels_that_do_not_exclude_each_other_is_one_for_each() -> None:
    # Probabilities 1/2 and 3/4 have the mean 5/8, whose logit is ln(5/3).
    members = [constant([0.0]), constant([math.log(3)])]
    said = FrozenTeacher(members, task="multi-label").targets(images(1), LOGITS, ["a"])
    torch.testing.assert_close(said["logits"], torch.tensor([[math.log(5 / 3)]]))


def test_the_mean_of_very_sure_members_is_finite() -> None:
    for task in ("single-label", "multi-label"):
        members = [constant([900.0, -900.0]), constant([800.0, -800.0])]
        said = FrozenTeacher(members, task=task).targets(images(1), LOGITS, ["a"])  # type: ignore[arg-type]
        assert said["logits"].isfinite().all()


def test_an_unknown_feature_is_refused_with_those_there_are() -> None:
    with pytest.raises(TargetsError, match=r"no feature called 'stage9'.*logits, pooled, stage0"):
        FrozenTeacher([drifting()]).targets(images(), frozenset({"stage9"}), HASHES)


def test_weights_and_folds_each_have_their_hash() -> None:
    one, same, other = (FrozenTeacher([drifting(seed)]) for seed in (0, 0, 1))
    assert one.weights_hash == same.weights_hash != other.weights_hash
    folds = [two_members(), two_members(held_out={"a": 0}), two_members(held_out={"a": 1})]
    assert len({teacher.folds_hash for teacher in folds}) == 3
    assert len({teacher.weights_hash for teacher in folds}) == 1


@pytest.mark.parametrize(
    ("members", "held_out", "what"),
    [
        ([], None, "at least one member"),
        ([drifting(), drifting(size=16)], None, "differ in input shape"),
        ([drifting()], {"a": 1}, "beyond the 1"),
    ],
)
def test_impossible_members_are_refused(
    members: list[Network], held_out: dict[str, int] | None, what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        FrozenTeacher(members, held_out=held_out)


def probes(count: int, *, bodies: int) -> list[Network]:
    """Probes with heads of their own on one body, or on as many as asked."""
    made = []
    for number in range(count):
        torch.manual_seed(number % bodies)
        spec = ModelSpec(name="tf_efficientnet_lite0", image_size=32, channels=3)
        member = probed(build_model(spec, classes=2))
        torch.manual_seed(number)
        nn.init.normal_(member.backbone.head.weight)
        made.append(member.eval())
    return made


@pytest.mark.parametrize(("bodies", "runs"), [(1, 1), (2, 2)])
def test_a_body_that_all_members_share_is_asked_once(bodies: int, runs: int) -> None:
    members, asked = probes(2, bodies=bodies), []
    for member in members:
        member.backbone.body.register_forward_hook(lambda *_: asked.append(1))
    names = frozenset({"logits", "pooled", "stage3"})
    FrozenTeacher(members).targets(torch.rand(3, 3, 32, 32), names, ["a", "b", "c"])
    assert len(asked) == runs
    torch.manual_seed(0)
    again = torch.rand(3, 3, 32, 32)
    said = FrozenTeacher(members).targets(again, names, ["a", "b", "c"])
    alone = [member(again, names - {"logits"}) for member in members]
    mean = torch.stack([functional.softmax(each.logits, dim=1) for each in alone]).mean(dim=0)
    torch.testing.assert_close(functional.softmax(said["logits"], dim=1), mean)
    for name in ("pooled", "stage3"):
        expected = torch.stack([each.features[name] for each in alone]).mean(dim=0)
        torch.testing.assert_close(said[name], expected, rtol=1e-4, atol=1e-4)


def test_the_size_at_which_a_teacher_looks_is_part_of_who_it_is() -> None:
    torch.manual_seed(0)
    network = build_model(ModelSpec(name="tf_efficientnet_lite0", image_size=32), classes=2)
    larger = build_model(ModelSpec(name="tf_efficientnet_lite0", image_size=64), classes=2)
    larger.backbone.load_state_dict(network.backbone.state_dict())
    first, second = FrozenTeacher([network]), FrozenTeacher([larger])
    assert first.weights_hash == second.weights_hash
    assert first.identity != second.identity

"""A teacher that cannot learn: frozen and in eval mode by construction, and shown to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from medistill.core.errors import TargetsError
from medistill.core.files import sha256_json
from medistill.core.types import Task
from medistill.models.network import Network
from medistill.models.outputs import Outputs
from medistill.models.probe import StageProbe
from medistill.models.weights import state_hash
from medistill.teacher.together import Together, mean_logits, with_one_body

Precision = Literal["float32", "bfloat16"]
# Stands for "no member was kept from this image", so that all of them answer.
_ALL = -1


class FrozenTeacher(nn.Module):
    """One network or several members, which only ever answer.

    A cross-fitted teacher has members that were each fitted without one fold of the training
    images. An image of fold k is answered by member k alone, which never saw it; any other image
    by the members' mean (Dao et al., "Knowledge Distillation as Semiparametric Inference", ICLR
    2021, section 4). Images are told apart by content hash, so an exact duplicate of a training
    image counts as that image.

    The mean of logits is the logarithm of the members' mean probability, a mixture, as in deep
    ensembles (Lakshminarayanan et al., NeurIPS 2017): it is a proper distribution, and a member
    with large logits cannot outvote the others as it could in a mean of logits. For classes that
    exclude each other it is normalised and so equals logits only up to a constant for each image,
    which no softmax sees. One network alone gives its raw logits. Intermediates are averaged
    plainly, which means something only for members that started from the same weights.

    The members are frozen in place, not copied. Probes whose bodies are equal have one body from
    then on, which is asked once for all of them.

    Args:
        members: networks of one input size and number of classes; at least one.
        held_out: content hash -> number of the member that never saw the image; None for a
            teacher that is not cross-fitted.
        task: decides what a probability is: softmax over classes, or a sigmoid for each label.

    Raises:
        ValueError: no member, members of different input, or a member number that does not exist.
    """

    def __init__(
        self,
        members: Sequence[Network],
        *,
        held_out: Mapping[str, int] | None = None,
        task: Task = "single-label",
    ) -> None:
        super().__init__()
        self._members = nn.ModuleList(members)
        self.task = task
        self._held_out = dict(held_out or {})
        self.cross_fitted = held_out is not None
        _check_members(members, self._held_out)
        self.requires_grad_(False)
        self.train()
        self.weights_hash = self._hash_now()
        _share_body(members)

    @property
    def members(self) -> tuple[Network, ...]:
        """The networks, frozen."""
        return tuple(member for member in self._members if isinstance(member, Network))

    @property
    def device(self) -> torch.device:
        """Where the members compute."""
        return next(self.parameters()).device

    def as_network(self) -> Network:
        """What an image asks that no member was fitted on: one member, or all of them together."""
        members = self.members
        if len(members) == 1:
            return members[0]
        together = Together([each.backbone for each in members], task=self.task)
        return Network(together, members[0].preprocessing).to(self.device).eval()

    @property
    def size(self) -> int:
        """Side in pixels of the views that the members are shown."""
        return self.members[0].view_size

    @property
    def preprocessing_hash(self) -> str:
        """Hash of what all members do to an image before their first layer."""
        return sha256_json([member.preprocessing.hash for member in self.members])

    @property
    def folds_hash(self) -> str:
        """Hash of which member answers for which image, and how the members' mean is taken."""
        many = len(self.members) > 1
        return sha256_json([sorted(self._held_out.items()), self.task if many else None])

    @property
    def identity(self) -> str:
        """Hash of all that decides what it says of an image."""
        return sha256_json([self.weights_hash, self.preprocessing_hash, self.folds_hash])

    def train(self, mode: bool = True) -> FrozenTeacher:
        """Stay in eval mode, whatever is asked."""
        return super().train(False)

    def requires_grad_(self, requires_grad: bool = True) -> FrozenTeacher:
        """Stay without gradients, whatever is asked."""
        super().requires_grad_(False)
        return self

    def verify_unchanged(self) -> tuple[str, str]:
        """Hash of all weights and buffers at construction and now, for the manifest.

        Raises:
            RuntimeError: they differ. Nothing a user gives can cause that.
        """
        now = self._hash_now()
        if now != self.weights_hash:
            raise RuntimeError(
                f"the frozen teacher changed: {self.weights_hash[:12]} became {now[:12]}"
            )
        return self.weights_hash, now

    def targets(
        self,
        images: Tensor,
        names: frozenset[str],
        content_hashes: Sequence[str],
        *,
        precision: Precision = "float32",
    ) -> dict[str, Tensor]:
        """What the teacher says of images.

        Args:
            images: (B, C, T, T) in [0, 1] on any device; moved to the teacher's.
            names: ``logits`` and names of features that the members know.
            content_hashes: content hash of each of the B images.
            precision: in which the members compute; ``bfloat16`` autocasts.

        Returns:
            Name -> (B, ...) float32 on the device of ``images``, without gradient, and fit for
            use in a loss that has one.

        Raises:
            TargetsError: the members have no feature of that name.
        """
        self._check_names(names)
        # Somebody may hold a member and have switched it; an answer is always one of eval mode.
        self.train()
        asked = images.to(self.device)
        with torch.inference_mode(), _precision(self.device, precision):
            answers = self._answer(asked, names, content_hashes)
        # An inference tensor cannot be saved for a backward pass; a clone made out here can.
        return {name: value.clone().to(images.device) for name, value in answers.items()}

    def _hash_now(self) -> str:
        return sha256_json([state_hash(member) for member in self.members])

    def _check_names(self, names: frozenset[str]) -> None:
        known = self.members[0].feature_names | {"logits"}
        if unknown := sorted(names - known):
            raise TargetsError(
                where="teacher",
                what=f"it has no feature called '{unknown[0]}'",
                cure=f"Known: {', '.join(sorted(known))}.",
            )

    def _answer(
        self, images: Tensor, names: frozenset[str], content_hashes: Sequence[str]
    ) -> dict[str, Tensor]:
        """Of each image, what the member, or the members, that may answer for it say."""
        chosen = [self._held_out.get(content, _ALL) for content in content_hashes]
        # Few images at a time are slow: one body is asked about all of them together.
        everything = self._said(self.members, images, names) if self._probes else None
        whole: dict[str, Tensor] = {}
        for fold in sorted(set(chosen)):
            rows = torch.tensor([row for row, each in enumerate(chosen) if each == fold])
            rows = rows.to(images.device)
            numbers = range(len(self.members)) if fold == _ALL else [fold]
            if everything is None:
                answers = self._said([self.members[k] for k in numbers], images[rows], names)
            else:
                answers = [{n: v[rows] for n, v in everything[k].items()} for k in numbers]
            for name in names:
                value = self._mean(name, [each[name] for each in answers])
                shape = (len(chosen), *value.shape[1:])
                whole.setdefault(name, value.new_empty(shape))[rows] = value
        return whole

    def _said(
        self, members: Sequence[Network], images: Tensor, names: frozenset[str]
    ) -> list[dict[str, Tensor]]:
        """Each member's answer."""
        return [_named(each, names) for each in self._outputs(members, images, names - {"logits"})]

    def _outputs(
        self, members: Sequence[Network], images: Tensor, want: frozenset[str]
    ) -> list[Outputs]:
        if probes := self._probes:
            return probes[0].answers_of(probes, members[0].normalised(images), want)
        return [member(images, want) for member in members]

    @property
    def _probes(self) -> list[StageProbe]:
        """The members' backbones where they have one body, so that all are asked at once."""
        return with_one_body([each.backbone for each in self.members])

    def _mean(self, name: str, values: list[Tensor]) -> Tensor:
        if name == "logits":
            return mean_logits(values, self.task)
        return values[0] if len(values) == 1 else torch.stack(values).mean(dim=0)


def _named(outputs: Outputs, names: frozenset[str]) -> dict[str, Tensor]:
    everything = {**outputs.features, "logits": outputs.logits}
    return {name: everything[name].float() for name in sorted(names)}


def _precision(device: torch.device, precision: Precision) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")


def _share_body(members: Sequence[Network]) -> None:
    """Give probes of equal bodies, which see images alike, the first one's body."""
    probes = [each.backbone for each in members if isinstance(each.backbone, StageProbe)]
    bodies = {state_hash(probe.body) for probe in probes}
    inputs = {member.preprocessing.hash for member in members}
    if len(probes) == len(members) and len(bodies) == len(inputs) == 1:
        for probe in probes:
            probe.body = probes[0].body


def _check_members(members: Sequence[Network], held_out: Mapping[str, int]) -> None:
    if not members:
        raise ValueError("a teacher needs at least one member")
    if len({(member.input_shape, member.classes) for member in members}) > 1:
        raise ValueError("the members differ in input shape or number of classes")
    if held_out and not set(held_out.values()) <= set(range(len(members))):
        raise ValueError(f"held_out names members beyond the {len(members)} there are")

"""A backbone together with the preprocessing it expects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from medistill.imaging.preprocessing import Preprocessing
from medistill.models.kernels import quick_kernels
from medistill.models.outputs import Outputs
from medistill.models.spec import Statistics


class Backbone(Protocol):
    """What a network asks of its backbone.

    Attributes:
        channels: input channels, 1 or 3.
        classes: length of the logits; 0 for a feature extractor.
        feature_names: every name that ``want`` may hold.
    """

    channels: int
    classes: int

    @property
    def feature_names(self) -> frozenset[str]:
        """Every name that ``want`` may hold."""

    def __call__(self, x: Tensor, want: frozenset[str] = frozenset()) -> Outputs:
        """Logits and the wanted features of a normalised (B, C, S, S) batch."""


class Network(nn.Module):
    """Takes images in [0, 1], normalises them inside and asks its backbone.

    Teacher, student and exported graph are all networks, so two of them may differ in input size
    and normalisation without anyone but themselves knowing.

    Args:
        backbone: a module that satisfies ``Backbone``.
        preprocessing: what the backbone was or will be trained with.
        training_statistics: (mean, std) used in training mode instead, to repeat work that trained
            and tested with different ones; None to train as it predicts.

    Raises:
        ValueError: the normalisation has another number of channels than the backbone.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        preprocessing: Preprocessing,
        *,
        training_statistics: Statistics | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.preprocessing = preprocessing
        self.training_statistics = training_statistics
        wanted = cast(Backbone, backbone).channels
        if len(preprocessing.mean) not in (1, wanted):
            raise ValueError(f"mean has {len(preprocessing.mean)} values, the backbone {wanted}")
        # Not persistent: the state dict stays the backbone's; the manifest holds these values.
        for name in ("mean", "std"):
            values = torch.tensor(getattr(preprocessing, name), dtype=torch.float32)
            values = values.expand(wanted).reshape(1, wanted, 1, 1).clone()
            self.register_buffer(name, values, persistent=False)

    @property
    def classes(self) -> int:
        """Length of the logits."""
        return cast(Backbone, self.backbone).classes

    @property
    def feature_names(self) -> frozenset[str]:
        """Every name that ``want`` may hold."""
        return cast(Backbone, self.backbone).feature_names

    @property
    def view_size(self) -> int:
        """Side in pixels of the views that it is trained on: a window, where it has windows."""
        windows = getattr(self.backbone, "windows", None)
        return self.preprocessing.size if windows is None else int(windows.window)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(C, S, S) of the images in [0, 1] that this network is given."""
        size = self.preprocessing.size
        return (self.preprocessing.image_channels, size, size)

    def forward(self, x: Tensor, want: frozenset[str] = frozenset()) -> Outputs:
        """Logits and wanted features.

        Args:
            x: (B, C, S, S) in [0, 1]; C is 1 or the backbone's number of channels. One channel
                is repeated for a backbone that takes three, then normalised channel by channel.
            want: names out of ``feature_names``.

        Raises:
            ValueError: three channels for a backbone that takes one.
            UnknownNameError: the backbone has no such feature.
        """
        with quick_kernels(x.device):
            return cast(Outputs, self.backbone(self.normalised(x), want))

    def normalised(self, x: Tensor) -> Tensor:
        """What the backbone is given of images (B, C, S, S) in [0, 1].

        Raises:
            ValueError: three channels for a backbone that takes one.
        """
        if x.shape[1] not in (1, self.mean.shape[1]):
            raise ValueError(f"{x.shape[1]} channels for a backbone of {self.mean.shape[1]}")
        mean, std = self.mean, self.std
        if self.training and self.training_statistics is not None:
            given = (mean.new_tensor(values) for values in self.training_statistics)
            mean, std = (values.expand(mean.shape[1]).reshape(mean.shape) for values in given)
        # Broadcasting against (1, 3, 1, 1) repeats a single channel.
        return (x - mean) / std


def feature_shapes(
    network: Network, want: frozenset[str] = frozenset()
) -> Mapping[str, tuple[int, ...]]:
    """Shapes, without the batch, of a view (``image``), its logits and wanted features.

    Costs one forward pass of one black image; the mode of the network is restored.
    """
    training = network.training
    weight = next(network.parameters())
    shape = (1, network.input_shape[0], network.view_size, network.view_size)
    image = torch.zeros(shape, device=weight.device, dtype=weight.dtype)
    network.eval()
    with torch.no_grad():
        outputs = network(image, want)
    network.train(training)
    shapes = {name: tuple(value.shape[1:]) for name, value in outputs.features.items()}
    return {"image": shape[1:], "logits": tuple(outputs.logits.shape[1:]), **shapes}

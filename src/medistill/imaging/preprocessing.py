"""What a model expects of an image; travels with its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from medistill.core.errors import RecipeError, UnknownNameError
from medistill.core.files import sha256_json
from medistill.imaging.window import parse_window

Channels = Literal["gray", "rgb"]
Fit = Literal["stretch", "crop", "pad"]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """How a picture becomes a model's input.

    The image side (``size``, ``channels``, ``fit``, ``stored_size``) is done by
    ``imaging.to_stored`` and ``imaging.render``, the same for training, export and prediction.
    The normalisation ``(x - mean) / std`` on values in [0, 1] is done inside the network and its
    exported graph.

    Attributes:
        size: side of the square input in pixels.
        mean: one value, or one a channel of the backbone, in [0, 1] units. Three values with
            ``channels="gray"``: the one gray channel is shown to a three-channel backbone thrice.
        std: as ``mean``; positive.
        channels: ``gray`` (the input has one channel) or ``rgb`` (three).
        fit: how a picture that is not square becomes square.
        stored_size: short side in pixels at which the training images were stored before they
            were rendered; prediction repeats it. None where no store was involved.
        window: gray scale of CT (``imaging.window``): a preset or ``centre/width``; None takes
            what each file declares.

    Raises:
        RecipeError: a value is impossible.
    """

    size: int
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    channels: Channels = "gray"
    fit: Fit = "stretch"
    stored_size: int | None = None
    window: str | None = None

    def __post_init__(self) -> None:
        for key in ("size", "stored_size"):
            value = getattr(self, key)
            if value is not None and (type(value) is not int or value < 1):
                raise _fault(key, f"{value!r} is not a positive whole number", "Give pixels.")
        for key, allowed in (("channels", get_args(Channels)), ("fit", get_args(Fit))):
            if getattr(self, key) not in allowed:
                raise UnknownNameError(
                    where=f"preprocessing.{key}",
                    kind=key,
                    name=str(getattr(self, key)),
                    known=allowed,
                )
        self._check_normalisation()
        parse_window(self.window)

    def _check_normalisation(self) -> None:
        if len(self.mean) not in (1, 3) or len(self.mean) != len(self.std):
            what = f"{len(self.mean)} mean and {len(self.std)} std values"
            raise _fault("mean", what, "Give one of each, or three of each.")
        if not all(value > 0 for value in self.std):
            raise _fault("std", f"{self.std} is not positive", "Give the standard deviations.")
        if self.channels == "rgb" and len(self.mean) == 1:
            what = "the images are rgb and the model takes one channel"
            raise _fault("channels", what, "Set channels to gray, or give the model 3 channels.")

    @property
    def image_channels(self) -> int:
        """Channels of the input: 1 (gray) or 3 (rgb)."""
        return 1 if self.channels == "gray" else 3

    @property
    def hash(self) -> str:
        """SHA-256 of every value; keys caches and manifests."""
        return sha256_json(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        values = asdict(self)
        values["mean"], values["std"] = list(self.mean), list(self.std)
        return values

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Preprocessing:
        """From a JSON object, as ``to_json`` wrote it.

        Raises:
            RecipeError: an unknown or missing key, or an impossible value.
        """
        known = [item.name for item in fields(cls)]
        for key in value:
            if key not in known:
                raise UnknownNameError(where="preprocessing", kind="key", name=key, known=known)
        if missing := [key for key in ("size", "mean", "std") if key not in value]:
            raise _fault(missing[0], "is missing", "Write the file again with to_json.")
        numbers = {key: tuple(float(item) for item in value[key]) for key in ("mean", "std")}
        return cls(**{**value, **numbers})


def _fault(key: str, what: str, cure: str) -> RecipeError:
    return RecipeError(where=f"preprocessing.{key}", what=what, cure=cure)

"""What a bundle says of one input. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass, field

from medistill.serve.inputs import Input
from medistill.serve.masks import Mask


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a bundle says of one input.

    Attributes:
        path: the input, as it was given or found.
        probabilities: one a class, in the order of the bundle's classes; None with a problem. For
            a segmenting student the share of the picture that each class covers.
        label: the class at the operating point (multi-label: those that hold, joined by ``; ``;
            masks: those that cover anything, the first class left out unless it covers all).
        conformal: classes that cannot be excluded at the bundle's coverage; None if not fitted.
        trusted: False where the image is unlike those that the bundle was checked on, or of a
            modality or body part that it was not trained on; None if nothing tells.
        reasons: why not to trust it, one sentence each.
        problem: why there is no answer; None with one.
        mask: (H, W) class numbers in the picture's geometry; None unless the student segments.
        mask_file: name of the file that holds it; None where none was written.
        source: where the picture came from; None for an upload.
    """

    path: str
    probabilities: tuple[float, ...] | None = None
    label: str | None = None
    conformal: tuple[str, ...] | None = None
    trusted: bool | None = None
    reasons: tuple[str, ...] = ()
    problem: str | None = None
    mask: Mask | None = field(default=None, compare=False, repr=False)
    mask_file: str | None = None
    source: Input | None = field(default=None, compare=False, repr=False)

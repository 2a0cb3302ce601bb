"""KDViT: a large ViT teaches a small one with softened class probabilities.

Lim, Lim, Chang and Lee, "KDViT: COVID-19 diagnosis on CT-scans with knowledge distillation of
vision transformer", Automatika 65(3), 1113-1126, 2024, doi 10.1080/00051144.2024.2349416.

    L = (1 - a) CE(z_s, y) + a T^2 KL(softmax(z_t / T) || softmax(z_s / T))

summed over classes and averaged over the batch; Hinton, Vinyals and Dean, 2015.

A re-implementation from the published description: what could be read of the paper is its
abstract, its beginning and its list of references. Unspecified details are filled from the works
it cites, and each is marked as ours below.

Departures from the paper
-------------------------
- ``temperature`` = 4 and ``soft_weight`` = 0.9 are our defaults; the paper's values were not
  found. They are what public implementations of Hinton's loss commonly use; with two or three
  classes a higher temperature leaves almost nothing but the top class.
- Which ViTs, the size of the images, augmentation, optimiser and schedule were not found either;
  those of the recipe are our defaults: a ViT-B/16 teaches a ViT-S/16 at 224 pixels.
- That only class scores are distilled, and no features or attention, is our reading: the paper's
  visible references name Hinton et al. and a survey, and no work on features.
- ``standardise`` is an addition: Sun et al., "Logit Standardization", CVPR 2024.
- Unlabelled images are allowed: they count in the soft term alone. The paper has none.
- A student with a distillation token is allowed: its logits are the mean of both heads. The
  paper's student is a plain ViT.
- A teacher that is not a ViT is allowed; such a run is a departure and must be named one.
"""

from __future__ import annotations

from dataclasses import dataclass

from medistill.methods.hinton import Hinton


@dataclass(frozen=True, kw_only=True)
class KDViT(Hinton):
    """Hinton's distillation from a ViT to a ViT: fields and terms are Hinton's.

    Raises:
        RecipeError: a value is out of range.
    """

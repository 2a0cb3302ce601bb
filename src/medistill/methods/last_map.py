"""The student's last layer predicts one of the teacher's maps, whatever the scale of that teacher.

    mean (R Q m_s - LN(m_t))^2

m_s is the student's last layer, m_t a map of the teacher, Q a learned 1 x 1 convolution, R resizing
and LN the layer-norm over channels at each place, without learned scale: Li et al., "Locality
Guidance for Improving Vision Transformers on Tiny Datasets", ECCV 2022, equation 3, with one
normalised map where the paper takes three as they are.
"""

from __future__ import annotations

from torch import Tensor, nn

from medistill.losses.maps import map_match
from medistill.methods.features import (
    as_map,
    layers,
    map_shape,
    normalised_map,
    require_layers,
    require_maps,
)
from medistill.methods.method import Shapes
from medistill.models.network import Network
from medistill.models.outputs import Outputs


def last_layer(student: Network, *, method: str) -> str:
    """Name of the student's last layer.

    Raises:
        RecipeError: the student shows no layer.
    """
    return require_layers(student.feature_names, 1, method=method)[-1]


def map_adapter(student_dims: Shapes, teacher_dims: Shapes, name: str, *, key: str) -> nn.Conv2d:
    """Q: from the width of the student's last layer to the channels of the teacher's ``name``.

    Raises:
        RecipeError: what is named has no positions; ``key`` is that of the recipe which names it.
    """
    require_maps(teacher_dims, [name], key=key)
    mine = map_shape(student_dims[layers(student_dims.keys())[-1]])[0]
    return nn.Conv2d(mine, map_shape(teacher_dims[name])[0], 1)


def last_map_match(outputs: Outputs, teacher: Tensor, adapter: nn.Module) -> Tensor:
    """The distance, a float32 scalar, at least 0.

    Args:
        outputs: the student's, with its last layer.
        teacher: the map, (B, C, H, W), or tokens (B, N, D).
        adapter: what ``map_adapter`` made.
    """
    last = as_map(outputs.features[layers(outputs.features)[-1]])
    return map_match(student=adapter(last), teacher=normalised_map(teacher))

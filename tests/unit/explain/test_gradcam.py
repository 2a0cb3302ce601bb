from __future__ import annotations

import numpy as np
import torch

from medistill.explain.gradcam import grad_cam, token_grad_cam, unused_is_zero


def test_channels_are_weighted_by_their_mean_gradient_by_hand() -> None:
    activation = torch.tensor([[[[1.0, 0.0]], [[0.0, 4.0]]]])
    gradient = torch.tensor([[[[1.0, 3.0]], [[-1.0, 0.0]]]])  # weights 2 and -.5
    np.testing.assert_allclose(grad_cam(activation, gradient), [[[2.0, 0.0]]])


def test_tokens_are_places_and_extra_tokens_are_left_out() -> None:
    activation, gradient = torch.randn(2, 5, 3), torch.randn(2, 5, 3)
    image = activation[:, 1:].transpose(1, 2).reshape(2, 3, 2, 2)
    slopes = gradient[:, 1:].transpose(1, 2).reshape(2, 3, 2, 2)
    found = token_grad_cam(activation, gradient, prefix=1)
    np.testing.assert_allclose(found, grad_cam(image, slopes).flatten(1), rtol=1e-5, atol=1e-7)


def test_no_gradient_is_a_gradient_of_zero() -> None:
    assert not unused_is_zero(None, torch.ones(2)).any()
    assert unused_is_zero(torch.ones(2), torch.ones(2)).all()

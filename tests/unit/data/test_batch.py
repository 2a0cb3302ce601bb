from __future__ import annotations

import torch

from medistill.data.batch import Batch


def batch_of(images: torch.Tensor, teacher_images: torch.Tensor | None) -> Batch:
    return Batch(
        index=torch.tensor([3, 1]),
        view=torch.tensor([1, 2]),
        hashes=["a", "b"],
        images=images,
        teacher_images=teacher_images,
        labels=torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
        mixed=True,
    )


def test_its_length_is_the_number_of_images() -> None:
    assert len(batch_of(torch.zeros(2, 1, 4, 4), None)) == 2


def test_moving_moves_every_tensor_and_keeps_the_rest() -> None:
    moved = batch_of(torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 8, 8)).to("meta")
    assert moved.teacher_images is not None
    tensors = [moved.index, moved.view, moved.images, moved.teacher_images, moved.labels]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert moved.hashes == ["a", "b"]
    assert moved.mixed


def test_one_rendition_for_both_stays_one_when_moved() -> None:
    images = torch.zeros(2, 1, 4, 4)
    moved = batch_of(images, images).to("meta")
    assert moved.teacher_images is moved.images
    assert batch_of(images, None).to("meta").teacher_images is None

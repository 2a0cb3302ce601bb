"""ViTKD's terms, its masks and its refusals."""

from __future__ import annotations

import pytest
import torch

from medistill.core.errors import RecipeError
from medistill.losses.maps import token_match
from medistill.methods.vitkd import Generator, ViTKD, draw_masks
from medistill.models.outputs import Outputs
from tests.unit.methods.small_batch import make_batch

STUDENT = {"logits": (3,), "tokens.0": (17, 4), "tokens.1": (17, 4), "tokens.5": (17, 4)}
TEACHER = {"logits": (3,), "tokens.0": (16, 6), "tokens.1": (16, 6), "tokens.11": (16, 6)}


def test_terms_are_those_of_the_losses() -> None:
    torch.manual_seed(0)
    method = ViTKD(normalised=False)
    adapters = method.adapters(STUDENT, TEACHER)
    ours = {name: torch.randn(2, *shape) for name, shape in STUDENT.items()}
    theirs = {name: torch.randn(2, *shape) for name, shape in TEACHER.items()}
    batch = make_batch(torch.eye(3)[:2])
    found = method.terms(Outputs(ours.pop("logits"), ours), theirs, batch, adapters)
    project = adapters["mimic"][0], adapters["mimic"][1]  # type: ignore[index]
    mimic = sum(
        token_match(student=project[i](ours[f"tokens.{i}"][:, 1:]), teacher=theirs[f"tokens.{i}"])
        for i in (0, 1)
    )
    assert found["mimic"].item() == pytest.approx(3e-5 * torch.as_tensor(mimic).item(), rel=1e-5)
    mask = draw_masks(batch, 16, 0.5)
    made = adapters["generator"](ours["tokens.5"][:, 1:], mask)
    generated = token_match(student=made, teacher=theirs["tokens.11"], mask=mask)
    assert found["generate"].item() == pytest.approx(6e-6 * generated.item(), rel=1e-5)


def test_masks_belong_to_image_and_view() -> None:
    batch = make_batch(torch.eye(3))
    mask = draw_masks(batch, 400, 0.5)
    assert torch.equal(mask, draw_masks(batch, 400, 0.5))
    assert not torch.equal(mask[0], mask[1])
    batch.view = batch.view + 1
    assert not torch.equal(mask, draw_masks(batch, 400, 0.5))


@pytest.mark.parametrize(("patches", "share", "hidden"), [(16, 0.5, 8), (9, 0.5, 5), (4, 0.1, 1)])
def test_of_every_image_as_many_patches_are_hidden(patches: int, share: float, hidden: int) -> None:
    assert draw_masks(make_batch(torch.eye(3)), patches, share).sum(dim=1).tolist() == [hidden] * 3


def test_scores_that_are_not_compared_cannot_be_standardised() -> None:
    with pytest.raises(RecipeError, match="method.standardise: it does nothing without NKD's term"):
        ViTKD(normalised=False, standardise=True).adapters(STUDENT, TEACHER)


def test_the_generator_does_not_see_what_is_hidden() -> None:
    generator = Generator(4, 6)
    tokens, mask = torch.randn(1, 9, 4), torch.zeros(1, 9)
    mask[0, 4] = 1
    other = tokens.clone()
    other[0, 4] += 5
    torch.testing.assert_close(generator(tokens, mask), generator(other, mask))
    assert not torch.allclose(generator(tokens, 0 * mask), generator(other, 0 * mask))


def test_another_grid_is_refused() -> None:
    with pytest.raises(RecipeError, match="it has 3 x 3 patches, the student 4 x 4"):
        ViTKD().adapters(STUDENT, {**TEACHER, "tokens.0": (9, 6)})


def test_nothing_hidden_is_refused() -> None:
    with pytest.raises(RecipeError, match="method.mask_share"):
        ViTKD(mask_share=0.0)

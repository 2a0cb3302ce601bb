from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from medistill.core.types import Sample
from medistill.models.build import ModelSpec, build_model
from medistill.models.network import Network
from medistill.stages.explained_models import ShownModel
from medistill.stages.explanation import explain

IMAGES = 40


def prepared() -> Any:
    """Images of two classes, those of the first class before those of the second."""
    labels = [0] * 30 + [1] * 10
    random = np.random.default_rng(0)
    pixels = random.integers(0, 65535, (IMAGES, 1, 16, 16)).astype(np.uint16)

    class Store:
        hashes = [f"{row:02}" for row in range(IMAGES)]

        def __getitem__(self, row: int) -> np.ndarray:
            return pixels[row]

    samples = [
        Sample(path=Path(f"{row}.png"), name=f"{row}.png", label=label, group=f"g{row}")
        for row, label in enumerate(labels)
    ]
    images = SimpleNamespace(
        task="single-label", samples=samples, classes=("healthy", "ill"), group_word="image"
    )
    return SimpleNamespace(images=images, labels=np.eye(2)[labels], store=Store())


def network() -> Network:
    torch.manual_seed(0)
    size = {"patch_size": 8, "width": 16, "depth": 2, "heads": 2}
    spec = ModelSpec(name="vit", image_size=16, **size)  # type: ignore[arg-type]
    return build_model(spec, classes=2, channels="gray").eval().requires_grad_(False)


def test_every_class_is_shown_and_measured_and_each_measure_says_on_how_many() -> None:
    models = {
        "teacher": ShownModel(title="teacher (first of 2 members)", network=network()),
        "student": ShownModel(title="student", network=network()),
    }
    found = explain(prepared(), range(IMAGES), models)
    assert found is not None
    assert found.values["images_per_class"] == {"healthy": 30, "ill": 10}
    assert found.values["areas_per_class"] == {"healthy": 8, "ill": 8}
    assert [line[0].caption for line in found.sheet] == ["healthy", "ill"] * 2
    for measures in found.values["models"]["student"].values():
        numbers = {name: each["n"] for name, each in measures.items()}
        areas = {name for name, n in numbers.items() if n == 16}
        assert areas == {"deletion", "deletion_random", "insertion", "insertion_random"}
        assert numbers["randomised"] > 16
    first = "Teacher (first of 2 members)"
    captions = [picture.caption.split(", ")[0] for picture in found.sheet[0][1:]]
    assert captions == [first] * 3 + ["Student"] * 3
    assert [name.split(", ")[0] for name in found.table.columns] == captions
    assert found.sentences[0].startswith(f"{first} and student look at the same places")

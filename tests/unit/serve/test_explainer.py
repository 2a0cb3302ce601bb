from __future__ import annotations

from pathlib import Path

import numpy as np

from medistill.bundle.bundle import open_bundle
from medistill.serve.explainer import Explainer
from tests.unit.bundle.handmade import gray_bundle
from tests.unit.serve.serving import explaining_bundle


def test_a_bundle_without_an_explaining_graph_has_no_explainer(tmp_path: Path) -> None:
    assert Explainer.of(open_bundle(gray_bundle(tmp_path / "b"))) is None


def test_activation_maps_of_a_class_by_hand(tmp_path: Path) -> None:
    explainer = Explainer.of(open_bundle(explaining_bundle(tmp_path / "b")), threads=1)
    assert explainer is not None
    image = np.zeros((1, 4, 4), np.float32)
    image[0, 1, 2], image[0, 3, 3] = 1.0, 0.5
    ill = explainer.explain(image, 0)
    assert (ill.kind, ill.target) == ("class-activation", 0)
    np.testing.assert_allclose(ill.values, image[0])  # 4 x over its largest value
    assert not explainer.explain(image, 1).values.any()  # only evidence against

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.apart import run_apart

pytestmark = pytest.mark.skipif(find_spec("nncf") is None, reason="NNCF is not installed")


class Fixed:
    """A compiled model whose logits are those of the image's first two pixels."""

    def create_infer_request(self) -> Fixed:
        return self

    def infer(self, inputs: list[np.ndarray]) -> None:
        self.data = inputs[0][:, 0, 0, :2]

    def get_tensor(self, name: str) -> Fixed:
        assert name == "logits"
        return self


def labels_are_compared_row_by_row(folder: Path) -> None:
    from medistill.export.nncf_process import agreement_with

    expected = np.array([[True, False], [False, True], [True, False]])
    images = [np.array([[[1.0, 0.0]]]), np.array([[[1.0, 0.0]]]), np.array([[[0.0, 1.0]]])]
    rows = list(enumerate(images))
    validate = agreement_with(expected, "single-label")
    assert validate(Fixed(), rows)[0] == pytest.approx(1 / 3)
    share, logits = validate(Fixed(), [rows[2], rows[0]])
    assert share == 0.5
    assert [each[0].tolist() for each in logits] == [[[0.0, 1.0]], [[1.0, 0.0]]]


def test_labels(tmp_path: Path) -> None:
    run_apart(labels_are_compared_row_by_row, tmp_path)

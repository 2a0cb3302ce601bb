from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from medistill.bundle.bundle import open_bundle
from medistill.serve.prediction import Prediction
from medistill.serve.service import Service, Settings
from medistill.serve.uploads import RefusalError
from medistill.serve.wording import mask_response, result_of, results_of, target_of
from tests.unit.serve.serving import explaining_bundle


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(open_bundle(explaining_bundle(tmp_path / "b")), Settings(threads=1))


def test_probabilities_are_named(service: Service) -> None:
    found = Prediction(path="a", probabilities=(0.25, 0.75), label="well", conformal=("well",))
    said = result_of(service, found)
    assert said.probabilities == {"ill": 0.25, "well": 0.75}
    assert said.conformal == ["well"]


def test_if_no_file_has_an_answer_it_is_an_error(service: Service) -> None:
    bad = [Prediction(path=name, problem="is empty") for name in "ab"]
    with pytest.raises(RefusalError, match=r"a: is empty\. None of the 2 files can be read\."):
        results_of(service, bad)


def test_classes_by_name(service: Service) -> None:
    assert target_of(service, None) is None
    assert target_of(service, "well") == 1


def test_a_mask_is_a_png_of_class_numbers(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    object.__setattr__(service.bundle.manifest, "task", "segmentation")
    mask = np.array([[0, 1], [1, 0]], np.uint8)
    answer = mask_response(service, Prediction(path="a", mask=mask))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(answer.body))), mask)
    with pytest.raises(RefusalError, match="a: is empty"):
        mask_response(service, Prediction(path="a", problem="is empty"))

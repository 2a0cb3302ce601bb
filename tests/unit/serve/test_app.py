from __future__ import annotations

import io
import math

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from medistill.serve.limits import Limits
from tests.unit.serve.conftest import MakeClient
from tests.unit.serve.serving import png

ILL = 1 / (1 + math.exp(-1.6))


def send(*contents: bytes, name: str = "a.png") -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (name, content)) for content in contents]


def test_health_and_readiness(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ready"}


def test_one_image_by_hand(client: TestClient) -> None:
    answer = client.post("/v1/predict", files=send(png(51)))
    assert answer.status_code == 200
    (found,) = answer.json()["results"]
    assert found["label"] == "ill"
    assert found["probabilities"] == pytest.approx({"ill": ILL, "well": 1 - ILL}, abs=1e-6)
    assert (found["file"], found["problem"], found["trusted"]) == ("a.png", None, None)


def test_many_images_in_order_and_a_bad_one_does_not_stop_the_rest(client: TestClient) -> None:
    answer = client.post("/v1/predict", files=send(png(0), b"rubbish", b"", png(255)))
    assert answer.status_code == 200
    found = answer.json()["results"]
    problems = [each["problem"] for each in found]
    assert problems == [
        None,
        "is not a PNG, JPEG, TIFF or BMP image, nor DICOM or NIfTI",
        "is empty",
        None,
    ]
    assert found[0]["probabilities"]["ill"] == pytest.approx(0.5)
    assert found[3]["probabilities"]["ill"] == pytest.approx(1 / (1 + math.exp(-8)), abs=1e-6)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "a.png: is empty."),
        (b"<html>", "a.png: is not a PNG, JPEG, TIFF or BMP image, nor DICOM or NIfTI."),
        (png(9, (64, 64))[:60], "a.png: is damaged or truncated"),
        (png(0, (20_000, 4_000)), "more than 64,000,000"),
        (png(0, (400, 2)), "sides beyond 1:32"),
    ],
)
def test_a_file_that_cannot_be_read_is_422_in_a_sentence(
    client: TestClient, content: bytes, words: str
) -> None:
    answer = client.post("/v1/predict", files=send(content))
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert client.get("/ready").status_code == 200


def test_the_smallest_image_is_answered(client: TestClient) -> None:
    assert client.post("/v1/predict", files=send(png(51, (1, 1)))).status_code == 200


def test_explanation_by_hand(client: TestClient) -> None:
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:4, 4:] = 255
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    said = client.post("/v1/explain", files=send(stream.getvalue()), params={"class": "ill"}).json()
    assert (said["kind"], said["target"]) == ("class-activation", "ill")
    assert (said["rows"], said["columns"], said["box"]) == (4, 4, [0, 0, 1, 1])
    values = np.array(said["values"])
    assert values[0, 3] == 1
    assert values[2:].max() < 0.1


def test_an_unknown_class_is_named(client: TestClient) -> None:
    answer = client.post("/v1/explain", files=send(png()), params={"class": "x"})
    assert answer.status_code == 422
    assert "the classes are ill, well" in answer.json()["detail"]


def test_pixels_keep_sixteen_bits(client: TestClient) -> None:
    deep = np.array([[0, 1, 65535], [256, 300, 4096]], np.uint16)
    stream = io.BytesIO()
    Image.fromarray(deep).save(stream, "PNG")
    answer = client.post("/v1/pixels", files=send(stream.getvalue()))
    shape = int(answer.headers["X-Height"]), int(answer.headers["X-Width"])
    np.testing.assert_array_equal(np.frombuffer(answer.content, "<u2").reshape(shape), deep)
    assert answer.headers["X-Channels"] == "1"


def test_pixels_of_a_large_colour_picture_are_brought_to_a_side_of_1024(client: TestClient) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (2048, 512), (255, 0, 0)).save(stream, "PNG")
    answer = client.post("/v1/pixels", files=send(stream.getvalue()))
    assert (answer.headers["X-Width"], answer.headers["X-Height"]) == ("1024", "256")
    assert len(answer.content) == 1024 * 256 * 3 * 2


def test_a_classifier_has_no_masks(client: TestClient) -> None:
    answer = client.post("/v1/mask", files=send(png()))
    assert answer.status_code == 409
    assert answer.json()["detail"] == "This bundle classifies; it gives no masks."


def test_model_and_card(client: TestClient) -> None:
    said = client.get("/v1/model").json()
    assert (said["classes"], said["explains"], said["masks"]) == (["ill", "well"], True, False)
    assert said["graphs"] == ["fp32"]
    assert said["calibrated"] is False
    assert "research use only" in client.get("/v1/card").text


def test_a_full_queue_is_429_with_the_time_to_come_back(make_client: MakeClient) -> None:
    client = make_client(limits=Limits(queue=2))
    with client.app.state.service.places.held(1):  # type: ignore[attr-defined]
        answer = client.post("/v1/predict", files=send(png(), png()))
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert client.post("/v1/predict", files=send(png(), png())).status_code == 200


def test_more_files_than_the_queue_holds_can_never_be_answered(make_client: MakeClient) -> None:
    client = make_client(limits=Limits(queue=2))
    assert client.post("/v1/predict", files=send(png(), png(), png())).status_code == 413


def test_without_the_key_only_the_state_and_the_page_are_shown(make_client: MakeClient) -> None:
    client = make_client(key="a-very-secret-key")
    for path in ("/health", "/ready", "/"):
        assert client.get(path).status_code == 200
    for path in ("/metrics", "/v1/model", "/v1/card"):
        assert client.get(path).status_code == 401
        assert client.get(path, headers={"X-API-Key": "wrong"}).status_code == 401
        assert client.get(path, headers={"X-API-Key": "a-very-secret-key"}).status_code == 200
    answer = client.post("/v1/predict", files=send(png()))
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "ApiKey")


def test_a_stopping_service_takes_nothing(make_client: MakeClient) -> None:
    client = make_client()
    client.app.state.service.stopping = True  # type: ignore[attr-defined]
    assert client.get("/ready").json() == {"status": "stopping"}
    assert client.post("/v1/predict", files=send(png())).status_code == 503


def test_interface_documents_need_no_other_machine(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "/static-offline-docs/swagger-ui-bundle.js" in page
    assert "https://" not in page
    assert client.get("/static-offline-docs/swagger-ui-bundle.js").status_code == 200
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths["/v1/predict"]["post"]["responses"]) >= {"200", "401", "413", "422", "429"}

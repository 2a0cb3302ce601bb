from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import Mock

import pytest
from fastapi.testclient import TestClient

from medistill.core.errors import BundleError
from medistill.serve.prediction import Prediction
from medistill.serve.predictor import Predictor, Prepared
from tests.unit.serve.conftest import MakeClient
from tests.unit.serve.serving import png
from tests.unit.serve.test_app import send
from tests.unit.serve.test_uploads import BOUNDARY, form


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_audit_log_names_no_patient(make_client: MakeClient, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    client = make_client(audit=path)
    answer = client.post("/v1/predict", files=send(png(), name="DOE^JANE.png"))
    client.post("/v1/predict", files=send(b"rubbish", name="DOE^JANE.png"))
    good, bad = lines(path)
    assert "DOE" not in path.read_text()
    assert good["request"] == answer.headers["X-Request-ID"]
    assert (good["status"], good["labels"]) == (200, ["ill"])
    assert (bad["status"], bad["labels"]) == (422, [None])
    assert len(str(good["files"][0])) == 64  # type: ignore[index]


def test_without_a_log_nothing_is_answered(
    make_client: MakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client(audit=tmp_path / "audit.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr(
            "medistill.serve.audit.os.write", lambda *_: (_ for _ in ()).throw(OSError(28, "full"))
        )
        answer = client.post("/v1/predict", files=send(png()))
    assert answer.status_code == 507
    assert "ill" not in answer.json()["detail"]
    assert client.post("/v1/predict", files=send(png())).status_code == 200


def test_uploads_are_kept_only_where_it_is_asked(make_client: MakeClient, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    make_client().post("/v1/predict", files=send(png()))
    assert not list(folder.iterdir())
    client = make_client(keep=folder)
    assert client.post("/v1/predict", files=send(png())).status_code == 200
    (kept,) = folder.iterdir()
    assert kept.read_bytes() == png()
    kept.unlink()
    folder.rmdir()
    assert client.post("/v1/predict", files=send(png())).status_code == 507


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BundleError(where="/srv/secret", what="broke", cure="Mend."), "The bundle cannot answer"),
        (ZeroDivisionError("/srv/secret"), "The server failed; tell its operator: request "),
    ],
)
def test_a_failure_inside_is_500_without_details_and_the_next_request_is_answered(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "predict_prepared", fail)
        answer = client.post("/v1/predict", files=send(png()))
    assert answer.status_code == 500
    assert answer.json()["detail"].startswith(words)
    assert "secret" not in answer.text
    assert client.post("/v1/predict", files=send(png())).status_code == 200


def test_a_bug_is_logged_by_its_type_alone(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(Predictor, "predict_prepared", Mock(side_effect=KeyError("DOE^JANE.png")))
    answer = client.post("/v1/predict", files=send(png(), name="DOE^JANE.png"))
    said = f"request {answer.headers['X-Request-ID']} failed: KeyError"
    assert [each.getMessage() for each in caplog.records if each.name == "medistill.serve"] == [
        said
    ]
    assert "DOE" not in caplog.text


@pytest.mark.parametrize(("charset", "name"), [("undefined", "a.png"), ("utf-7", "+2AA-")])
def test_a_charset_of_the_client_changes_nothing(
    client: TestClient, charset: str, name: str
) -> None:
    kind = f"multipart/form-data; boundary={BOUNDARY}; charset={charset}"
    body = form(png()).replace(b"a.png", name.encode())
    answer = client.post("/v1/predict", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 200
    assert answer.json()["results"][0]["file"] == name


def test_the_memory_of_an_upload_is_held_until_its_answer(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, run = client.app.state.service.memory, Predictor.predict_prepared  # type: ignore[attr-defined]
    seen: list[int] = []

    def watch(self: Predictor, batch: list[Prepared]) -> list[Prediction]:
        seen.append(memory.taken)
        return run(self, batch)

    monkeypatch.setattr(Predictor, "predict_prepared", watch)
    assert client.post("/v1/predict", files=send(png())).status_code == 200
    assert seen[0] > len(png())
    assert memory.taken == 0
    with memory.held(memory.capacity - 10):
        assert client.post("/v1/predict", files=send(png())).status_code == 429
        assert memory.taken == memory.capacity - 10


def test_requests_and_images_are_counted(client: TestClient) -> None:
    client.post("/v1/predict", files=send(png(), b"rubbish"))
    client.post("/v1/predict", files=send(b"rubbish"))
    text = client.get("/metrics").text
    assert 'medistill_requests_total{route="predict",status="200"} 1.0' in text
    assert 'medistill_requests_total{route="predict",status="422"} 1.0' in text
    assert 'medistill_images_total{outcome="predicted"} 1.0' in text
    assert 'medistill_images_total{outcome="refused"} 2.0' in text

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import numpy as np
import pytest

from medistill.bundle.bundle import open_bundle
from medistill.serve.limits import Limits
from medistill.serve.predictor import Predictor
from medistill.serve.service import Service, Settings
from medistill.serve.uploads import RefusalError, Upload
from tests.unit.bundle.handmade import gray_bundle
from tests.unit.imaging.dicom_files import save
from tests.unit.serve.segmenting import segmenting_bundle
from tests.unit.serve.serving import explaining_bundle, png


def open_service(folder: Path, **limits: float) -> Service:
    bundle = open_bundle(explaining_bundle(folder))
    return Service(bundle, Settings(threads=1, limits=Limits(**limits)))  # type: ignore[arg-type]


def test_answers_equal_those_of_predict(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(97, (37, 23)))
    service = open_service(tmp_path / "b")
    (served,) = asyncio.run(service.predict([Upload(str(path), path.read_bytes())]))
    (predicted,) = service.predictor.predict_files([path])
    assert served == predicted
    service.close()


def test_a_foreign_picture_is_flagged_in_the_same_words_by_predict_and_service(
    tmp_path: Path,
) -> None:
    path = tmp_path / "knee.dcm"
    save(path, np.full((8, 8), 51, np.uint8), Modality="MR", BodyPartExamined="KNEE")
    known = {"acquisition": {"modalities": ["CT"], "body_parts": ["CHEST"]}}
    bundle = open_bundle(explaining_bundle(tmp_path / "b", **known))
    service = Service(bundle, Settings(threads=1))
    (served,) = asyncio.run(service.predict([Upload(str(path), path.read_bytes())]))
    (predicted,) = service.predictor.predict_files([path])
    assert served == predicted
    assert (served.label, served.trusted) == ("ill", False)
    assert served.reasons == (
        "Its modality is MR; the student was trained on CT.",
        "Its body part is KNEE; the student was trained on CHEST.",
    )
    service.close()


def test_images_of_several_requests_run_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = open_service(tmp_path / "b", gather_ms=200)
    sizes: list[int] = []
    run = Predictor.predict_prepared

    def watch(self: Predictor, batch: list[object]) -> list[object]:
        sizes.append(len(batch))
        return run(self, batch)  # type: ignore[arg-type, return-value]

    monkeypatch.setattr(Predictor, "predict_prepared", watch)

    async def ask_all() -> None:
        uploads = [Upload("a", png(value)) for value in range(4)]
        await asyncio.gather(*(service.predict([upload]) for upload in uploads))

    asyncio.run(ask_all())
    assert sum(sizes) == 4
    assert len(sizes) < 4
    service.close()


def test_no_answer_in_time_is_504_and_gives_the_places_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, go = open_service(tmp_path / "b", answer_seconds=0.1), threading.Event()
    run = Predictor.predict_prepared
    monkeypatch.setattr(
        Predictor, "predict_prepared", lambda self, batch: (go.wait(5), run(self, batch))[1]
    )
    with pytest.raises(RefusalError, match=r"no answer within 0\.1 s") as refusal:
        asyncio.run(service.predict([Upload("a", png())]))
    assert (refusal.value.status, service.places.taken) == (504, 0)
    go.set()
    service.close()


def test_a_bundle_that_cannot_explain_says_so(tmp_path: Path) -> None:
    bundles = {
        "export it again": gray_bundle(tmp_path / "gray"),
        "its masks say where; ask /v1/mask": segmenting_bundle(tmp_path / "masks"),
    }
    for cure, bundle in bundles.items():
        service = Service(open_bundle(bundle), Settings(threads=1))
        with pytest.raises(RefusalError, match=f"holds no graph that explains; {cure}") as refusal:
            asyncio.run(service.explain(Upload("a", png()), None))
        assert refusal.value.status == 409
        service.close()


def test_a_closed_service_does_not_work(tmp_path: Path) -> None:
    service = open_service(tmp_path / "b")
    assert service.works
    service.close()
    assert not service.works

"""Long trials of a running service: its own documents as a fuzzer reads them, damaged files, load.

Run by ``make verify``. ``MEDISTILL_SOAK_SECONDS`` shortens the load.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import schemathesis
import torch
from hypothesis import HealthCheck, Phase, given, settings
from PIL import Image
from schemathesis.specs.openapi.checks import positive_data_acceptance

from medistill.bundle.bundle import open_bundle
from medistill.export.bundle_writer import BundleText, provenance_now, publish_bundle
from medistill.models.build import ModelSpec, build_model
from medistill.serve.measuring import measure_apart
from medistill.serve.predictor import Predictor
from medistill.serve.session import available_cores
from tests.unit.imaging.dicom_files import dataset_of, encoded
from tests.unit.serve.crowd import visit
from tests.unit.serve.segmenting import segmenting_bundle
from tests.unit.serve.serving import explaining_bundle, png, resident_kib, running
from tests.unit.serve.test_server import ask
from tests.unit.serve.test_uploads import form

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
SECONDS = float(os.environ.get("MEDISTILL_SOAK_SECONDS", "300"))
CLIENTS, PICTURES = 50, 16
# What a server may say to anything at all; a 500 is never among them.
PROPER = {200, 400, 404, 405, 408, 409, 413, 415, 422, 429}


@pytest.fixture(scope="module", params=[explaining_bundle, segmenting_bundle])
def address(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("soak")
    with running(request.param(folder / "b"), "--audit", folder / "audit.jsonl") as (found, _):
        yield found


def test_the_service_keeps_what_its_own_documents_promise(address: str) -> None:
    schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
    for result in schema.get_all_operations():
        check_operation(result.ok())


def check_operation(operation: Any) -> None:
    """Generated cases of one operation: statuses, types and bodies must be as documented."""

    @given(case=operation.as_strategy())
    @settings(
        max_examples=20,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    def check(case: Any) -> None:
        # No schema can say which bytes are an image: most that fit it are rightly refused.
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    check()


def seeds() -> list[bytes]:
    """Whole files of every kind that is read."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32), np.uint8))
    found = [encoded(dataset_of(np.asarray(noise), BodyPartExamined="CHEST"))]
    for kind in ("PNG", "JPEG", "TIFF", "BMP"):
        stream = io.BytesIO()
        noise.save(stream, kind)
        found.append(stream.getvalue())
    volume = nibabel.Nifti1Image(np.asarray(noise)[..., None], np.eye(4)).to_bytes()
    return [*found, volume, gzip.compress(volume)]


def test_a_few_hundred_damaged_files_harm_nobody(address: str) -> None:
    chance, whole_ones = random.Random(0), seeds()
    for whole in whole_ones:
        assert ask(address, form(whole))[0] == 200
    said: Counter[int] = Counter()
    for number in range(400):
        content = bytearray(chance.choice(whole_ones))
        for _ in range(chance.randint(0, 12)):
            place = chance.randrange(len(content))
            content[place] = chance.randrange(256)
        whole = bytes(content[: chance.randint(0, len(content))])
        body = form(whole) if number % 3 else bytes(reversed(form(whole)))
        said[ask(address, body)[0]] += 1
    assert set(said) <= PROPER, said
    assert ask(address, form(png()))[0] == 200


def pictures(folder: Path) -> list[Path]:
    """Smooth noise of 256 x 256 pixels, as large as a slice is stored."""
    chance, paths = np.random.default_rng(0), []
    for number in range(PICTURES):
        coarse = Image.fromarray(chance.integers(0, 256, (24, 24), np.uint8))
        path = folder / f"{number:02}.png"
        coarse.resize((256, 256), Image.Resampling.BICUBIC).save(path)
        paths.append(path)
    return paths


def vit_tiny(folder: Path) -> Path:
    """A bundle of a ViT-Ti/16 at 224 pixels (5.5 M parameters) with random weights."""
    torch.manual_seed(0)
    spec = ModelSpec(name="vit", image_size=224, patch_size=16, width=192, depth=12, heads=3)
    network = build_model(spec, classes=2, stored_size=256).eval()
    with torch.no_grad():
        network.backbone.get_parameter("head.weight").mul_(4)
    text = BundleText(
        name="vit-tiny",
        task="single-label",
        classes=("absent", "present"),
        stored_size=256,
        provenance=provenance_now(recipe=None, data=None, teacher=None, student=None),
    )
    images = np.random.default_rng(0).random((4, 1, 224, 224), dtype=np.float32)
    publish_bundle(network, folder, text, images=images)
    return folder


def benched(bundle: Path) -> float:
    """Images a second at batch 8, as ``medistill bench`` measures them."""
    opened = open_bundle(bundle)
    found = measure_apart(
        opened, opened.graph(), threads=available_cores(), memory_bytes=None, runs=30
    )
    return next(speed.images_per_second for speed in found.speeds if speed.batch == 8)


class Memory(threading.Thread):
    """Resident memory of a process, in MiB, every few seconds until it is told to stop."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self.pid, self.seen, self.done = pid, [], threading.Event()
        self.start()

    def run(self) -> None:
        while not self.done.wait(max(0.2, SECONDS / 60)):
            self.seen.append(resident_kib(self.pid) / 1024)


def test_fifty_clients_at_once(tmp_path: Path, record_property: Any) -> None:
    """No error but 429, all finish, answers are those of predict, 80 % of bench, no growth."""
    bundle, paths = vit_tiny(tmp_path / "vit"), pictures(tmp_path)
    expected = list(Predictor(open_bundle(bundle)).predict_files(paths))
    contents, before = [path.read_bytes() for path in paths], benched(bundle)
    # Fewer places than clients, so that some are always sent away.
    with running(bundle, "--queue", CLIENTS - 10, "--audit", tmp_path / "audit") as (
        address,
        server,
    ):
        port = int(address.rpartition(":")[2])
        asyncio.run(visit(port, contents, clients=CLIENTS, seconds=SECONDS / 10))
        memory, started = Memory(server.pid), time.monotonic()
        heard = asyncio.run(visit(port, contents, clients=CLIENTS, seconds=SECONDS))
        accepted = heard.said[200] / (time.monotonic() - started)
        memory.done.set()
    after = benched(bundle)
    share = accepted / ((before + after) / 2)
    third = len(memory.seen) // 3
    grown = np.median(memory.seen[-third:]) - np.median(memory.seen[:third])
    print(
        f"\n{SECONDS:g} s, {CLIENTS} clients: {dict(heard.said)}, Retry-After {dict(heard.waits)}; "
        f"{accepted:.1f} images a second, bench at batch 8 {before:.1f} before and {after:.1f} "
        f"after: {share:.0%}; fewest answers of a client {min(heard.finished.values())}; "
        f"memory {np.median(memory.seen):.0f} MiB, grew by {grown:.1f} MiB"
    )
    assert set(heard.said) <= {200, 429}, heard.said
    assert heard.said[429] > 0
    assert len(heard.finished) == CLIENTS
    for place, answers in heard.answers.items():
        for answer in answers:
            assert answer == pytest.approx(expected[place].probabilities, abs=1e-5)
    assert share >= 0.8
    # An allocator keeps pages; one upload that stays in a hundred would be far more.
    assert grown < 10

"""Long trials of a running service: its own documents as a fuzzer reads them, damaged files, load.

Run by ``make verify``. ``MEDISTILL_SOAK_SECONDS`` shortens the load.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from medistill.bundle.bundle import open_bundle
from medistill.serve.predictor import Predictor
from tests.unit.serve.serving import explaining_bundle, png, running
from tests.unit.serve.test_server import ask
from tests.unit.serve.test_uploads import form

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
SECONDS = float(os.environ.get("MEDISTILL_SOAK_SECONDS", "300"))
CLIENTS = 50
# What a server may say to anything at all; a 500 is never among them.
PROPER = {200, 400, 404, 405, 408, 409, 413, 415, 422, 429}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int, Path]]:
    folder = tmp_path_factory.mktemp("soak")
    bundle = explaining_bundle(folder / "b")
    with running(bundle, "--audit", folder / "audit.jsonl") as (address, process):
        yield address, process.pid, bundle


def test_the_service_keeps_what_its_own_documents_promise(
    served: tuple[str, int, Path],
) -> None:
    address = served[0]
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


def test_a_few_hundred_damaged_files_harm_nobody(served: tuple[str, int, Path]) -> None:
    address, _, _ = served
    chance = random.Random(0)
    seeds = [
        png(51, (32, 24)),
        b"DICM".rjust(132, b"\0") + png(),
        b"GIF89a" + png(),
        b"\xff\xd8\xff",
    ]
    said: Counter[int] = Counter()
    for number in range(300):
        content = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(0, 12)):
            place = chance.randrange(len(content))
            content[place] = chance.randrange(256)
        whole = bytes(content[: chance.randint(0, len(content))])
        body = form(whole) if number % 3 else bytes(reversed(form(whole)))
        said[ask(address, body)[0]] += 1
    assert set(said) <= PROPER, said
    assert ask(address, form(png()))[0] == 200


def resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def test_fifty_clients_at_once(served: tuple[str, int, Path], tmp_path: Path) -> None:
    address, pid, bundle = served
    picture = tmp_path / "a.png"
    picture.write_bytes(png(77, (64, 48)))
    (expected,) = Predictor(open_bundle(bundle), threads=1).predict_files([picture])
    body, watch = form(picture.read_bytes()), Watch(expected.probabilities or ())
    for _ in range(200):
        ask(address, body)
    before, deadline = resident_kib(pid), time.monotonic() + SECONDS
    clients = [
        threading.Thread(target=ask_until, args=(deadline, address, body, watch))
        for _ in range(CLIENTS)
    ]
    for each in clients:
        each.start()
    for each in clients:
        each.join()
    assert not watch.wrong, watch.wrong[:3]
    assert set(watch.said) <= {200, 429}, watch.said
    assert watch.said[200] > CLIENTS
    # An allocator keeps pages; a leak of one upload a request would be far more.
    assert resident_kib(pid) - before < 40_000


@dataclass
class Watch:
    """What all clients heard."""

    expected: Sequence[float]
    said: Counter[int] = field(default_factory=Counter)
    wrong: list[object] = field(default_factory=list)


def ask_until(deadline: float, address: str, body: bytes, watch: Watch) -> None:
    """One client, which stays away for a second when the queue is full."""
    while time.monotonic() < deadline:
        status, said = ask(address, body)
        watch.said[status] += 1
        if status == 429:
            time.sleep(1)
        elif status != 200:
            watch.wrong.append(said)
        else:
            found = list(said["results"][0]["probabilities"].values())  # type: ignore[index]
            if found != pytest.approx(watch.expected, abs=1e-5):
                watch.wrong.append(found)

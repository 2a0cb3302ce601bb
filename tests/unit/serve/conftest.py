from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from medistill.bundle.bundle import open_bundle
from medistill.serve.app import create_app
from medistill.serve.service import Service, Settings
from tests.unit.serve.serving import explaining_bundle

MakeClient = Callable[..., TestClient]


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[MakeClient]:
    """Clients of a service of ``explaining_bundle``, with the settings given."""
    opened: list[TestClient] = []

    def make(**settings: object) -> TestClient:
        folder = tmp_path / f"bundle{len(opened)}"
        service = Service(open_bundle(explaining_bundle(folder)), Settings(threads=1, **settings))
        client = TestClient(create_app(service))
        client.__enter__()
        client.app.state.service = service  # type: ignore[attr-defined]
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    return make_client()

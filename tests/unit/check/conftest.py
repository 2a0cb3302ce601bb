"""One clean phantom set that the tests of the check share."""

from __future__ import annotations

from pathlib import Path

import pytest

from medistill.core.types import ImageSet
from tests.unit.check.planted import clean


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    return clean(tmp_path_factory.mktemp("phantoms"))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("facts")

import subprocess
import sys

import pytest

from medistill import catalog
from medistill.core.errors import UnknownNameError


@pytest.mark.parametrize("name", catalog.METHODS)
def test_every_method_resolves_to_a_class_with_terms(name: str) -> None:
    method = catalog.resolve(catalog.METHODS, name, kind="method", where="test")
    assert callable(method.terms)


def test_an_unknown_method_gets_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'supervised'"):
        catalog.resolve(catalog.METHODS, "supervisd", kind="method", where="test")


def test_listing_names_imports_no_torch() -> None:
    code = (
        "import sys; from medistill import catalog; catalog.recipes(); list(catalog.METHODS);"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

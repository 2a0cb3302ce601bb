"""The check of a wheel's contents notices what is missing and what is foreign."""

from __future__ import annotations

from tools.wheel_contents import faults

GOOD = [
    "medistill/py.typed",
    "medistill/cli.py",
    "medistill/recipes/kdvit.yaml",
    "medistill/recipes/kdvit-small.yaml",
    "medistill/report/templates/report.html",
    "medistill/serve/static/index.html",
    "medistill-0.1.0.dist-info/licenses/LICENSE",
    "medistill-0.1.0.dist-info/METADATA",
]


def test_a_good_wheel_has_no_faults() -> None:
    assert faults(GOOD) == []


def test_a_missing_recipe_is_named() -> None:
    assert faults([n for n in GOOD if "kdvit.yaml" not in n]) == [
        "lacks medistill/recipes/kdvit.yaml"
    ]


def test_tests_do_not_belong_in_a_wheel() -> None:
    assert faults([*GOOD, "tests/conftest.py"]) == ["holds tests/conftest.py"]

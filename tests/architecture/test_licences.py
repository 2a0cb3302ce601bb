"""The licence check accepts what it should, and refuses the rest."""

from __future__ import annotations

from email.message import Message

import pytest
from packaging.requirements import Requirement

from tools.closure import NotInstalledError, closure
from tools.licences import licence_of, main, permits, read_policy

POLICY = read_policy()


def headers(**fields: str | list[str]) -> Message:
    """Distribution metadata with these fields; ``_`` stands for ``-``."""
    message = Message()
    for name, value in fields.items():
        for line in [value] if isinstance(value, str) else value:
            message[name.replace("_", "-")] = line
    return message


@pytest.mark.parametrize(
    ("expression", "accepted"),
    [
        ("MIT", True),
        ("Apache-2.0 OR GPL-2.0-only", True),
        ("Apache-2.0 AND MIT", True),
        ("Apache-2.0 WITH LLVM-exception AND MIT", True),
        ("(GPL-3.0-only OR MIT) AND BSD-3-Clause", True),
        ("MIT AND GPL-3.0-or-later", False),
        ("GPL-3.0-only AND MIT OR AGPL-3.0-only", False),
        ("(MIT", False),
        ("AGPL-3.0-only", False),
        ("LGPL-2.1-only", False),
        ("UNKNOWN", False),
        ("unknown", False),
        ("", False),
    ],
)
def test_expressions(expression: str, accepted: bool) -> None:
    assert permits(expression, POLICY.permissive) is accepted


def test_licence_is_read_from_the_most_exact_field() -> None:
    classifier = "License :: OSI Approved :: BSD License"
    assert licence_of(headers(License_Expression="ISC", License="MIT"), {}) == "ISC"
    assert licence_of(headers(Classifier=classifier, License="x"), POLICY.spelled) == "BSD-3-Clause"
    assert licence_of(headers(License="Apache 2.0\n\nlong text"), POLICY.spelled) == "Apache-2.0"
    assert licence_of(headers(Name="x"), POLICY.spelled) == "unknown"


def test_two_classifiers_both_hold() -> None:
    both = [
        "License :: OSI Approved :: MIT License",
        "License :: OSI Approved :: GNU General Public License v3 (GPLv3)",
    ]
    assert not permits(licence_of(headers(Classifier=both), POLICY.spelled), POLICY.permissive)


def test_a_proprietary_classifier_is_not_overlooked() -> None:
    found = licence_of(headers(Classifier="License :: Other/Proprietary License"), POLICY.spelled)
    assert not permits(found, POLICY.permissive)


def test_closure_reaches_what_a_dependency_needs() -> None:
    assert {"jinja2", "markupsafe"} <= set(closure([Requirement("Jinja2")]))


def test_closure_names_what_is_not_installed() -> None:
    with pytest.raises(NotInstalledError, match="no-such-package is not installed"):
        closure([Requirement("no-such-package")])


def test_everything_installed_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0, capsys.readouterr().out
    assert "0 refused" in capsys.readouterr().out

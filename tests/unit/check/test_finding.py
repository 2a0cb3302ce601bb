"""Findings as JSON show the first groups and names alone."""

from __future__ import annotations

import json

from medistill.check.finding import SHOWN_GROUPS, SHOWN_NAMES, Finding, share


def test_json_is_bounded() -> None:
    groups = [[str(name) for name in range(50)]] * 20
    value = Finding(check="a", severity="note", text="b", groups=groups).to_json()
    assert len(value["groups"]) == SHOWN_GROUPS
    assert len(value["groups"][0]) == SHOWN_NAMES
    assert json.loads(json.dumps(value)) == value


def test_share() -> None:
    assert share(12, 40, "image") == "12 of 40 images (30.0 %)"
    assert share(0, 0, "entry") == "0 of 0 entries (0.0 %)"
    assert share(1, 1, "image") == "1 of 1 image (100.0 %)"

"""Facts are values: equal by content, and nothing can change or extend them."""

from __future__ import annotations

import dataclasses

import pytest

from medistill.check.facts import Facts


def test_facts_are_compared_by_value_and_cannot_be_changed() -> None:
    facts = Facts(kind="PNG L", width=3)
    assert facts == Facts(kind="PNG L", width=3) != dataclasses.replace(facts, letters=4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        facts.width = 4  # type: ignore[misc]

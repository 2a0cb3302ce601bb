"""Fails unless everything that the project and its extras install is under a permissive licence.

Run: python -m tools.licences
"""

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import dataclass
from email.message import Message
from fnmatch import fnmatchcase
from importlib import metadata
from pathlib import Path
from typing import cast

from tools.closure import closure, own_requirements

POLICY = Path(__file__).with_name("licences.toml")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What is accepted; the fields are those of licences.toml."""

    permissive: frozenset[str]
    spelled: dict[str, str]
    exceptions: dict[str, dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is said of one distribution."""

    name: str
    licence: str
    accepted: bool
    exception: str | None


def read_policy(path: Path = POLICY) -> Policy:
    """Read the policy from its file."""
    value = tomllib.loads(path.read_text(encoding="utf-8"))
    return Policy(
        permissive=frozenset(value["permissive"]),
        spelled=value["spelled"],
        exceptions=value["exceptions"],
    )


def licence_of(headers: Message, spelled: dict[str, str]) -> str:
    """A distribution's licence as an SPDX expression, or as it is written where none is known.

    The expression comes first (PEP 639), then the classifiers (all of them hold), then the first
    line of the free-text field.
    """
    if expression := headers.get("License-Expression"):
        return str(expression)
    classifiers = [str(line) for line in headers.get_all("Classifier", [])]
    names = [
        line.rpartition(" :: ")[2]
        for line in classifiers
        if line.startswith("License :: OSI Approved :: ") or "Proprietary" in line
    ]
    if not names:
        names = [line.strip() for line in str(headers.get("License") or "").splitlines()[:1]]
    return " AND ".join(spelled.get(name, name) for name in names if name) or "unknown"


def permits(expression: str, permissive: frozenset[str]) -> bool:
    """Whether an SPDX expression can be met by permissive licences alone.

    ``OR`` needs one permissive side, ``AND`` both; ``WITH`` only widens what a licence grants.

    >>> permits("GPL-2.0-only OR MIT", frozenset({"MIT"}))
    True
    >>> permits("MIT AND (GPL-2.0-only OR LGPL-3.0-only)", frozenset({"MIT"}))
    False
    """
    tokens = re.findall(r"[()]|[^\s()]+", re.sub(r"\s+WITH\s+\S+?(?=[\s()]|$)", "", expression))
    value, rest = _alternatives(tokens, permissive)
    return value and not rest


def _alternatives(tokens: list[str], permissive: frozenset[str]) -> tuple[bool, list[str]]:
    value, tokens = _conjunction(tokens, permissive)
    while tokens and tokens[0].upper() == "OR":
        other, tokens = _conjunction(tokens[1:], permissive)
        value = value or other
    return value, tokens


def _conjunction(tokens: list[str], permissive: frozenset[str]) -> tuple[bool, list[str]]:
    value, tokens = _atom(tokens, permissive)
    while tokens and tokens[0].upper() == "AND":
        other, tokens = _atom(tokens[1:], permissive)
        value = value and other
    return value, tokens


def _atom(tokens: list[str], permissive: frozenset[str]) -> tuple[bool, list[str]]:
    if not tokens:
        return False, []
    if tokens[0] == "(":
        value, rest = _alternatives(tokens[1:], permissive)
        return value and rest[:1] == [")"], rest[1:]
    return tokens[0] in permissive, tokens[1:]


def judge(name: str, distribution: metadata.Distribution, policy: Policy) -> Verdict:
    """Whether one distribution is acceptable, and by which exception if by one."""
    licence = licence_of(cast(Message, distribution.metadata), policy.spelled)
    if permits(licence, policy.permissive):
        return Verdict(name=name, licence=licence, accepted=True, exception=None)
    for pattern, exception in policy.exceptions.items():
        if fnmatchcase(name, pattern) and _has_text(distribution, exception.get("text")):
            return Verdict(name=name, licence=licence, accepted=True, exception=pattern)
    return Verdict(name=name, licence=licence, accepted=False, exception=None)


def _has_text(distribution: metadata.Distribution, text: str | None) -> bool:
    """Whether a licence file of the distribution holds a text; true when none is asked for."""
    if text is None:
        return True
    files = [file for file in distribution.files or () if "licen" in file.name.lower()]
    return any(text in Path(str(file.locate())).read_text(encoding="utf-8") for file in files)


def main() -> int:
    """Judge every dependency; print the exceptions and the faults."""
    policy = read_policy()
    verdicts = [judge(name, item, policy) for name, item in closure(own_requirements()).items()]
    for pattern, exception in policy.exceptions.items():
        if names := [verdict.name for verdict in verdicts if verdict.exception == pattern]:
            print(f"exception: {pattern} ({len(names)}): {exception['reason']}")
    refused = [verdict for verdict in verdicts if not verdict.accepted]
    for verdict in refused:
        print(f"REFUSED: {verdict.name}: {verdict.licence}")
    print(f"licences: {len(verdicts)} packages, {len(refused)} refused")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())

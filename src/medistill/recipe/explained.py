"""A recipe with every value, those that its file leaves out too, and what each means."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from medistill.recipe.blocks import Recipe
from medistill.recipe.reading import dump_recipe

_WIDTH = 100
# What docstrings call null.
_PYTHONS = re.compile(r"\bNone\b")
_ENTRY = re.compile(r"^    (\w+): +(.*)")


def explained(recipe: Recipe) -> str:
    """YAML that gives the same recipe back, with the meaning of a value in the lines above it."""
    return "\n".join(_block(dump_recipe(recipe), recipe, 0)) + "\n"


def meanings(kind: type) -> dict[str, str]:
    """What the docstrings of a class, and of those that it is made from, say of its attributes."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        name = ""
        for line in _attributes(inspect.cleandoc(each.__doc__ or "")):
            if entry := _ENTRY.match(line):
                name = entry[1]
                found[name] = entry[2]
            elif name:
                found[name] += f" {line.strip()}"
    return found


def _attributes(text: str) -> Iterator[str]:
    """The lines of the section of that name."""
    inside = False
    for line in text.splitlines():
        if line and not line.startswith(" "):
            inside = line == "Attributes:"
        elif inside and line:
            yield line


def _block(plain: Mapping[str, Any], value: object, depth: int) -> Iterator[str]:
    said, margin = meanings(type(value)), "  " * depth
    for key, item in plain.items():
        lead, meaning = f"{margin}# ", _PYTHONS.sub("null", said.get(key, ""))
        yield from textwrap.wrap(meaning, _WIDTH, initial_indent=lead, subsequent_indent=lead)
        if isinstance(item, dict):
            yield f"{margin}{key}:"
            yield from _block(item, getattr(value, key), depth + 1)
        else:
            yield margin + _line(key, item)


def _line(key: str, item: Any) -> str:
    inner = yaml.safe_dump([item], default_flow_style=True, width=10**6, allow_unicode=True)
    return f"{key}: {inner.strip()[1:-1]}"

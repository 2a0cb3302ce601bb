"""Contrast of colours as the Web Content Accessibility Guidelines 2.1 define it."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Success criterion 1.4.3, level AA, for text of ordinary size.
READABLE = 4.5
Colour = Sequence[float]


def palettes(css: str) -> dict[str, dict[str, Colour]]:
    """Colours by variable, for ``light`` and, above it, each media query that changes some."""
    light = _colours(css)
    found = {"light": light}
    for query, name in (("prefers-color-scheme: dark", "dark"), ("@media print", "print")):
        if query in css:
            found[name] = {**light, **_colours(css[css.index(query) :])}
    return found


def contrast(first: Colour, second: Colour) -> float:
    """(L1 + 0.05) / (L2 + 0.05) of the relative luminances, the lighter first."""
    low, high = sorted(_luminance(colour) for colour in (first, second))
    return (high + 0.05) / (low + 0.05)


def mixed(over: Colour, under: Colour, share: float) -> Colour:
    """``share`` of one colour over another, in sRGB, as opacity and ``color-mix`` do."""
    return [share * a + (1 - share) * b for a, b in zip(over, under, strict=True)]


def _colours(css: str) -> dict[str, Colour]:
    """Of the first block of variables."""
    block = css[css.index(":root") :].split("}")[0]
    return {
        name: [int(value[place : place + 2], 16) / 255 for place in (0, 2, 4)]
        for name, value in re.findall(r"--([\w-]+): #([0-9a-f]{6});", block)
    }


def _luminance(colour: Colour) -> float:
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue

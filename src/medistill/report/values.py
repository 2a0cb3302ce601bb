"""Numbers as a person reads them."""

from __future__ import annotations

import re

MINUS = "\N{MINUS SIGN}"
THIN = "\N{NARROW NO-BREAK SPACE}"
NOTHING = "\N{EM DASH}"


def number(value: float | None, digits: int = 3) -> str:
    """``0.874``; a dash for nothing."""
    return NOTHING if value is None else f"{value:.{digits}f}".replace("-", MINUS)


def signed(value: float | None, digits: int = 3) -> str:
    """``+0.041``; a dash for nothing."""
    if value is None:
        return NOTHING
    return f"{value:+.{digits}f}".replace("-", MINUS)


def interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """``0.830 to 0.910``; empty for nothing."""
    if low is None or high is None:
        return ""
    return f"{number(low, digits)} to {number(high, digits)}"


def with_minus(text: str) -> str:
    """Text with true minus signs before its numbers."""
    return re.sub(r"(?<!\w)-(?=\d)", MINUS, text)


def p_value(p: float | None) -> str:
    """``p = 0.012``, ``p < 0.001``; empty for nothing."""
    if p is None:
        return ""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def quantity(value: float) -> str:
    """``5.52 million``, ``1.26 billion``, ``12,345``."""
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if abs(value) >= size:
            return f"{value / size:.3g}{THIN}{word}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3g}"


def heading(key: str) -> str:
    """``latency_ms`` as ``Latency ms``."""
    words = key.replace("_", " ").replace(".", " ").strip()
    return words[:1].upper() + words[1:]

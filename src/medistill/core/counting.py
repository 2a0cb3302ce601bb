"""Numbers in sentences."""

from __future__ import annotations

import re

_ONE_OR_SEVERAL = re.compile(r"(\w+)\|(\w+)")


def plural(word: str, count: int) -> str:
    """``1 study``, ``2 studies``."""
    if count == 1:
        return f"1 {word}"
    ending = f"{word[:-1]}ies" if word.endswith("y") and word[-2] not in "aeiou" else f"{word}s"
    return f"{count:,} {ending}"


def agreeing(count: int, words: str) -> str:
    """Words that agree with a number: of ``image|images is|are`` the first of each pair for one."""
    return _ONE_OR_SEVERAL.sub(r"\1" if count == 1 else r"\2", words)


def counted(count: int, words: str) -> str:
    """A number and words that agree with it: ``counted(2, "file|files is|are left out")``."""
    return f"{count:,} {agreeing(count, words)}"

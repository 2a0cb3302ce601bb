"""Numbers and the words that agree with them."""

from __future__ import annotations

from medistill.core.counting import agreeing, counted, plural


def test_plurals() -> None:
    assert plural("study", 1) == "1 study"
    assert plural("study", 2) == "2 studies"
    assert plural("near-duplicate cluster", 1200) == "1,200 near-duplicate clusters"
    assert plural("array", 2) == "2 arrays"


def test_words_agree_with_their_number() -> None:
    words = "mask|masks has|have no image and is|are left out"
    assert agreeing(1, words) == "mask has no image and is left out"
    assert agreeing(0, words) == agreeing(2, words) == "masks have no image and are left out"
    assert counted(1, words) == "1 mask has no image and is left out"
    assert counted(1200, "file|files") == "1,200 files"

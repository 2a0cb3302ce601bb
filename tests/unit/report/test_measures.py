"""The report of measures: escaped, complete, and honest about what is missing."""

from __future__ import annotations

from pathlib import Path

from medistill.report.measures import Shown, estimate_text, write_measures

VALUE = {"estimate": 0.8123, "low": 0.7751, "high": 0.8442, "reason": None}
METRICS = {
    "answer": {"full": "Distilling helped."},
    "caveats": ["<script>"],
    "counts": {"images": 4, "groups": 2, "resamples": 9},
    "group_word": "patient",
    "measures": ["auroc"],
    "left_out": ["hernia (2 positive groups)"],
    "headline": "auroc",
    "models": {"student": {"overall": {"auroc": VALUE}, "seeds": [0.8123, None]}},
    "differences": {},
    "sizes": {
        "student": {
            "parameters": 955_518,
            "multiply_adds": 3,
            "latency_ms": 1.5,
            "runtime": "onnxruntime, 1 thread",
        }
    },
}


def test_estimates_in_words() -> None:
    assert estimate_text(VALUE) == "0.812 (0.775 to 0.844)"
    assert estimate_text({**VALUE, "low": None, "reason": "too few groups"}) == (
        "0.812 (too few groups)"
    )
    assert estimate_text({**VALUE, "estimate": None, "reason": "a class is absent"}) == (
        "a class is absent"
    )


def test_page_holds_everything_and_escapes_it(tmp_path: Path) -> None:
    picture = Shown(data_uri="data:image/png;base64,AAAA", caption="overlay & outline")
    text = write_measures(tmp_path, METRICS, pictures=[picture], recipe_text="a: 1").read_text()
    for words in (
        "Distilling helped.",
        "0.812 (0.775 to 0.844)",
        "hernia (2 positive groups)",
        "955,518",
        "&lt;script&gt;",
        "overlay &amp; outline",
        "a: 1",
    ):
        assert words in text
    assert "<script>" not in text
    assert "http" not in text

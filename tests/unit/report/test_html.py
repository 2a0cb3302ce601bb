from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import numpy as np
import pytest
from markupsafe import Markup

from medistill.report import plots
from medistill.report.html import Picture, write_report

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Tags with attributes and the text of a page; fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style"} & set(self.open):
            self.text += data

    def all(self, *names):
        return [attributes for tag, attributes in self.tags if tag in names]


STUB = Markup('<svg role="img" aria-label="a panel"></svg>')


@pytest.fixture
def report(tmp_path, metrics, history, monkeypatch, request):
    """Makes a report; panels are drawn only for tests that ask for ``drawn``."""
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr(plots, "draw", lambda *_, **__: STUB)

    def make(**changes):
        options = {
            "predictions": {"student": tmp_path / "a b.csv"},
            "histories": {"student": history, "control": tmp_path / "absent.csv"},
            "pictures": [Picture(pixels=np.zeros((8, 8)), caption="ill, taken for <healthy>")],
            "recipe_text": "name: <demo>\n",
            "provenance": {"versions": {"torch": "2.6"}},
            **changes,
        }
        path = write_report(tmp_path, metrics, **options)
        assert path == tmp_path / "report.html"
        return path.read_text(encoding="utf-8")

    return make


@pytest.fixture
def drawn():
    """Asks for real panels."""


def test_opens_with_the_answer(report, metrics):
    metrics["answer"]["opening"] = "Use the teacher."
    text = Page(report()).text
    places = [
        text.index(part)
        for part in (
            "Research use only",
            "Use the teacher.",
            "Distilling helped",
            "For this file, it changed by \N{MINUS SIGN}0.020.",
            "not established",
            "The student's AUROC is 0.870.",
            "Patient leakage cannot be excluded",
            "Every metric with its 95 % interval",
            "What the models cost",
            "name: <demo>",
        )
    ]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("worse", "Distilling did harm"),
        ("undecided", "No difference shown"),
        ("unknown", "No answer"),
    ],
)
def test_verdicts_in_words(report, metrics, verdict, words):
    metrics["answer"]["verdict"] = verdict
    assert words in Page(report()).text


def test_asks_nothing_of_any_server_and_runs_nothing(report, drawn):
    text = report()
    page = Page(text)
    assert page.all("script", "link", "iframe", "object", "embed", "base", "form") == []
    for attributes in page.all(*{tag for tag, _ in page.tags}):
        for name in ("src", "href", "srcset", "action", "data"):
            assert re.match(r"data:image/png;base64,|#|(?!\w+:|/)", attributes.get(name) or "#")
        assert not [name for name in attributes if name.startswith("on")]
    assert "http" not in text.replace("http-equiv", "")
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert any("default-src 'none'" in (a.get("content") or "") for a in page.all("meta"))


def test_names_of_the_data_are_escaped(report):
    text = report()
    assert "<b>ill" not in text
    assert "&lt;b&gt;ill&lt;/b&gt; &amp; $x$" in text
    assert "taken for &lt;healthy&gt;" in text


def test_is_accessible(report, drawn):
    page = Page(report())
    assert ("html", {"lang": "en"}) in page.tags
    assert all(attributes.get("alt") for attributes in page.all("img"))
    assert all(attributes.get("aria-label") for attributes in page.all("svg"))
    assert len(page.all("svg")) >= 10
    assert len(page.all("table")) == len(page.all("caption"))
    assert all(attributes.get("scope") for attributes in page.all("th"))
    assert len(page.all("h1")) == 1
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    anchors = {a["href"][1:] for a in page.all("a") if a["href"].startswith("#")}
    assert anchors <= set(ids)


def test_wears_light_dark_phone_and_print(report):
    text = report()
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert "max-width: 46rem" in text
    assert 'name="viewport"' in text


def test_links_to_predictions_beside_it(report):
    assert 'href="a%20b.csv"' in report()


def test_warns_of_images_only_if_there_are_any(report):
    assert "Contains images" in Page(report()).text
    without = Page(report(pictures=[])).text
    assert "Contains images" not in without
    assert "Worst mistakes" not in without


def test_says_the_word_of_the_group(report, metrics):
    text = Page(report()).text
    assert "Groups (article)" in text
    assert "at most one image per article" in text
    assert "each article counting once: McNemar p = 0.032." in text


def test_tables_say_of_which_training_seed_they_are(report, metrics):
    metrics["counts"]["seeds"] = 5
    assert Page(report()).text.count("; of the first of 5 training seeds") == 2
    metrics["counts"]["seeds"] = 1
    assert "of the first of" not in Page(report()).text


def test_intervals_of_single_images_are_said_to_be_what_they_are(report):
    assert (
        "shares and F1 have Wilson's interval and other values from 0 to 1 the normal"
        in " ".join(Page(report()).text.split())
    )


def test_a_student_alone(report, metrics, drawn):
    for role in ("teacher", "control"):
        metrics["models"][role] = None
        metrics["differences"][f"student_minus_{role}"] = None
    metrics |= {"sizes": {}, "caveats": []}
    metrics["models"]["student"]["seeds"]["auroc"]["values"] = [0.87]
    page = Page(report(histories={}, provenance={}, recipe_text="", predictions={}))
    assert "No control to compare with" in page.text
    assert "Student minus" not in page.text
    assert "What the models cost" not in page.text
    assert "Learning" not in page.text


def test_many_classes(report, metrics):
    names = [f"class {number}" for number in range(8)]
    metrics["classes"] = names
    for counts in ("images_per_class", "groups_per_class", "known_per_class"):
        metrics["counts"][counts] = dict.fromkeys(names, 12)
    for model in metrics["models"].values():
        model["confusion"] = np.eye(8, dtype=int).tolist()
        for key in ("per_class", "roc", "precision_recall"):
            model[key] = dict.fromkeys(names, next(iter(model[key].values())))
    for pair in metrics["differences"].values():
        pair["per_class"] = dict.fromkeys(names, next(iter(pair["per_class"].values())))
    text = Page(report()).text
    assert "The first six of 8 classes." in text
    assert text.count("class 7 (12 images, groups: 12)") == 1


def test_is_quick_and_the_same_every_time(report, drawn):
    start = time.process_time()
    first = report()
    assert time.process_time() - start < 10
    assert report() == first

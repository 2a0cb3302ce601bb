from __future__ import annotations

import re
from xml.etree import ElementTree

from medistill.report.svg import CONTROL, STUDENT, draw


def panel(label='A <label> & "more"', title="Title"):
    def paint(axes):
        axes.plot([0, 1, 2], [0, 1, 4], color=STUDENT, marker="o", label="$a$ line")
        axes.scatter([1], [2], color=CONTROL)
        axes.set_title(title)
        axes.legend()

    return draw(paint, width=3, height=2, label=label)


def test_is_one_well_formed_element_with_a_label():
    root = ElementTree.fromstring(str(panel()))
    assert root.tag == "svg"
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'A <label> & "more"'
    assert root.get("viewBox")


def test_colours_are_variables_of_the_page():
    text = panel()
    assert "var(--student)" in text
    assert "var(--control)" in text
    assert "#0a0b" not in text
    assert "#000000" not in text


def test_has_no_outside_references():
    text = panel()
    assert "http" not in text
    assert "<image" not in text
    assert "<script" not in text


def test_every_reference_is_defined_once_and_ids_differ_between_panels():
    one, other = panel(), panel(title="Other")
    for text in (one, other):
        ids = re.findall(r'\sid="([^"]+)"', text)
        used = set(re.findall(r"(?:href=\"#|url\(#)([^\")]+)", text))
        assert used == set(ids)
        assert len(ids) == len(set(ids))
    assert not set(re.findall(r'\sid="([^"]+)"', one)) & set(re.findall(r'\sid="([^"]+)"', other))


def test_text_stays_text_even_with_dollars_and_foreign_letters():
    text = panel(title="肺 $5 & <x>")
    assert "肺 $5 &amp; &lt;x&gt;" in text
    assert "$a$ line" in text


def test_is_the_same_every_time():
    assert panel() == panel()

from __future__ import annotations

import pytest

from medistill.core.errors import ExportError
from medistill.export.path_scan import absolute_paths, refuse_paths


@pytest.mark.parametrize(
    "text",
    [
        "/home/anna/ct",
        "/data",
        "trained on /mnt/pacs/2024 and more",
        "data=/mnt/pacs/x",
        "('/srv/scans/a.png')",
        "~/scans",
        "see ~anna/scans",
        r"C:\Users\anna",
        "D:/scans/a.png",
        r"\\pacs01\share\a.dcm",
        "file:///etc/hosts",
    ],
)
def test_absolute_paths_are_found(text: str) -> None:
    assert list(absolute_paths({"a": ["fine", {"b": text}]})) == [("a.1.b", text)]
    assert list(absolute_paths({text: 1})) == [(text, text)]


@pytest.mark.parametrize(
    "text",
    [
        "COVID/non-COVID",
        "n/a",
        "a/b/c.png",
        "https://doi.org/10.1000/182",
        "12:30/13:00",
        "mean 1 / std 2",
        "sensitivity / specificity / F1",
        "and/or",
        "ratio 3:4",
        "~0.5",
        "10.5281/zenodo.1/2",
        "",
    ],
)
def test_other_slashes_are_left_alone(text: str) -> None:
    assert list(absolute_paths([text])) == []


def test_the_refusal_names_the_key_and_the_text() -> None:
    with pytest.raises(ExportError) as caught:
        refuse_paths({"caveats": ["from /mnt/pacs/x"]}, "bundle.json")
    assert caught.value.where == "bundle.json: caveats.0"
    assert "'from /mnt/pacs/x'" in caught.value.what
    refuse_paths({"caveats": ["none"]}, "bundle.json")

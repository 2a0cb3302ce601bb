"""Finds absolute paths in what is about to be published: they name machines, sites and people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from medistill.core.errors import ExportError

# A whole text "/x...", or anywhere: "/a/b", "~/", "C:\", "\\server\share", "file:". A slash inside
# a word ("COVID/other", "https://host/a") is none of them.
_PATH = re.compile(
    r"\A/[^\s/]\S*"
    r"|(?<![\w:/.])/[^\s/]+/\S*"
    r"|(?<!\w)~[\w.-]*/"
    r"|(?<!\w)[A-Za-z]:[\\/](?!/)"
    r"|\\\\[^\\\s]+\\"
    r"|(?<!\w)file:/",
)


def absolute_paths(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a JSON value, keys included, that holds an absolute path.

    Args:
        value: what ``json`` could write.
        key: dotted path of the value.

    Yields:
        The dotted key and the text.
    """
    if isinstance(value, str):
        if _PATH.search(value):
            yield key, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from absolute_paths(str(name), f"{key}.{name}".lstrip("."))
            yield from absolute_paths(item, f"{key}.{name}".lstrip("."))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from absolute_paths(item, f"{key}.{index}")


def refuse_paths(value: object, where: str) -> None:
    """Refuse a document that holds an absolute path.

    Args:
        value: what ``json`` could write.
        where: how the error names the document.

    Raises:
        ExportError: it does; the first one is named.
    """
    for key, text in absolute_paths(value):
        raise ExportError(
            where=f"{where}: {key}",
            what=f"holds an absolute path, which must not leave this machine: {text!r}",
            cure="Use a name without folders.",
        )

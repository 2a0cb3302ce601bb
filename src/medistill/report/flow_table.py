"""The data flow of a study: how many images went into each part, and which were left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from medistill.report.decision_tables import Grid
from medistill.report.tables import Cell

_NAMED = 3


def flow(metrics: Mapping[str, Any]) -> Grid | None:
    """How many images and groups went into each part, by class."""
    found = metrics.get("flow") or {}
    if not found:
        return None
    classes = metrics["classes"]
    return Grid(
        caption=f"{found['stored']:,} images stored, {found['labelled']:,} with labels"
        + (", first fold" if found["folds"] > 1 else ""),
        columns=("Images", "Groups", *classes),
        rows=tuple(
            (
                name.capitalize(),
                tuple(
                    Cell(value=f"{value:,}")
                    for value in (
                        part["images"],
                        part["groups"],
                        *(part["classes"][c] for c in classes),
                    )
                ),
            )
            for name, part in found["parts"].items()
        ),
    )


def left_out(metrics: Mapping[str, Any]) -> list[str]:
    """What is missing, sentence by sentence; empty where nobody counted what could not be read."""
    found = metrics.get("flow") or {}
    if "unreadable" not in found:
        return []
    unreadable = _unreadable(found["listed"], found["unreadable"])
    if found.get("external"):
        return unreadable
    return [
        *unreadable,
        _without_label(found["stored"] - found["labelled"], found["unlabelled"]),
        f"{found['removed']:,} training images were left out because their group lies in the "
        "evaluation part.",
    ]


def _unreadable(listed: int, unreadable: Sequence[Mapping[str, str]]) -> list[str]:
    if not unreadable:
        return [f"All {listed:,} listed images could be read."]
    names = defaultdict[str, list[str]](list)
    for each in unreadable:
        names[each["reason"]].append(each["name"])
    most = sorted(names.items(), key=lambda item: (-len(item[1]), item[0]))
    count = f"{len(unreadable):,} of {listed:,} listed images could not be read and were left out."
    return [count, *(f"{len(held):,} of them: {why} ({_some(held)})." for why, held in most)]


def _without_label(count: int, used: int) -> str:
    if not count:
        return "Every stored image has a label."
    return (
        f"{count:,} stored images have no label: {used:,} were used without, the others equal a "
        "labelled one or belong to what is held out."
    )


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")

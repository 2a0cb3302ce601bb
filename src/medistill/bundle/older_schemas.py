"""Documents of older schema versions, as if they said nothing of what they did not know.

Torch-free. Version 1 had no decisions, no trials, no temperatures of labels and no window. Version
2 did not say what kind of picture the student was trained on. Version 3 had no size of the student,
and its trials neither memory nor length of the files. What is of the wrong form is left as it is,
for ``decode`` to refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

_DECISIONS: Mapping[str, Any] = {"choice": None, "conformal": None, "trust": None, "refusals": {}}


def upgraded(body: Mapping[str, Any], version: object) -> Mapping[str, Any]:
    """The body of a ``bundle.json`` in the form of the present version."""
    if version == 1:
        body = _to_2(body)
    if version in (1, 2):
        body = {**body, "acquisition": {"modalities": [], "body_parts": []}}
    return _to_4(body) if version in (1, 2, 3) else body


def _to_2(body: Mapping[str, Any]) -> dict[str, Any]:
    body = {**body, "refused": {}}
    if isinstance(body.get("preprocessing"), dict):
        body["preprocessing"] = {**body["preprocessing"], "window": None}
    return _each_graph(body, _graph_to_2)


def _to_4(body: Mapping[str, Any]) -> dict[str, Any]:
    return _each_graph({**body, "parameters": None, "multiply_adds": None}, _graph_to_4)


def _each_graph(
    body: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    graphs = body.get("graphs")
    if not isinstance(graphs, list):
        return body
    changed = [change(graph) if isinstance(graph, dict) else graph for graph in graphs]
    return {**body, "graphs": changed}


def _graph_to_2(graph: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(graph.get("calibration"), dict):
        return graph
    calibration = {**graph["calibration"], "labels": []}
    return {**graph, "decisions": dict(_DECISIONS), "trial": None, "calibration": calibration}


def _graph_to_4(graph: dict[str, Any]) -> dict[str, Any]:
    graph = {**graph, "batch": "dynamic"}
    if isinstance(graph.get("trial"), dict):
        graph["trial"] = {**graph["trial"], "memory_bytes": None, "file_bytes": None}
    return graph

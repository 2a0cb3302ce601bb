"""The table of ``bench``, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HEAD = (
    "name", "parameters", "M multiply-adds", "MB", "p50 ms", "p95 ms", "p99 ms", "images/s at 8",
    "peak MB", "J/image", "of peak", "kernels",
)  # fmt: skip


def bench_table(document: Mapping[str, Any]) -> str:
    """One row a network or graph, under what it was measured with.

    Args:
        document: what ``bench.json`` holds.
    """
    hardware, limits = document["hardware"], document["limits"]
    memory = limits["memory_bytes"]
    bound = f", at most {memory / 2**20:.0f} MiB of data" if memory else ""
    threads = f"{limits['threads']} thread{'' if limits['threads'] == 1 else 's'}"
    title = f"{hardware['processor']}, {threads}{bound}, {document['runs']} runs"
    lines = [title, "", _line(_HEAD), _line(["---"] * len(_HEAD))]
    lines += [_line(_cells(row)) for row in document["rows"]]
    lines += [f"\n{row['name']}: {row['problem']}" for row in document["rows"] if row["problem"]]
    lines += [f"\n{note}" for note in document["notes"]]
    return "\n".join(lines)


def _cells(row: Mapping[str, Any]) -> list[str]:
    one, many = (*row["speeds"], None, None)[:2]
    kernels = [f"{kind} {share:.0%}" for kind, share in list(row.get("kernels", {}).items())[:3]]
    return [
        row["name"],
        _said(row["parameters"], "{:,}"),
        _said(row.get("multiply_adds"), "{:,.1f}", 1e-6),
        _said(row["file_bytes"], "{:.2f}", 1e-6),
        *(_said(one and one[key], "{:.2f}") for key in ("p50_ms", "p95_ms", "p99_ms")),
        _said(many and many["images_per_second"], "{:.1f}"),
        _said(row["peak_memory_bytes"], "{:.0f}", 1e-6),
        _said(row.get("joules_per_image"), "{:.3f}"),
        _said(row.get("share_of_peak"), "{:.0%}"),
        ", ".join(kernels) or "-",
    ]


def _said(value: float | None, form: str, scale: float | None = None) -> str:
    if value is None:
        return "-"
    return form.format(value if scale is None else value * scale)


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"

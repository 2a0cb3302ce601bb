"""Accuracy against latency, as one SVG file of its own."""

from __future__ import annotations

import io
from collections.abc import Mapping

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter


def bench_plot(points: Mapping[str, tuple[float, float]], *, metric: str) -> str:
    """A point a network or graph, by its median time of one image.

    Args:
        points: name -> (milliseconds, accuracy); milliseconds are positive.
        metric: what the accuracy is.

    Returns:
        The SVG document; the same points give the same text.
    """
    figure = Figure(figsize=(8.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, (milliseconds, accuracy) in points.items():
        axes.plot(milliseconds, accuracy, "o", label=name)
    # Beside the plot: names of points that nearly meet would cover each other.
    figure.legend(loc="outside right upper")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("Median time of one image, ms (faster is further left)")
    axes.set_ylabel(metric)
    axes.margins(x=0.25, y=0.2)
    axes.grid(alpha=0.3)
    stream = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "medistill", "svg.fonttype": "none"}):
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()

"""Plots as inline SVG that takes its colours and its font from the page around it.

Plots are drawn in placeholder colours, which become CSS variables afterwards, so that one drawing
serves light, dark and print; its text stays text.
"""

from __future__ import annotations

import hashlib
import html
import io
import re
import warnings
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#0a0b01"
MUTED = "#0a0b02"
LINE = "#0a0b03"
TEACHER = "#0a0b04"
STUDENT = "#0a0b05"
CONTROL = "#0a0b06"
PAPER = "#0a0b07"

_VARIABLES = MappingProxyType(
    {
        INK: "var(--ink)",
        MUTED: "var(--muted)",
        LINE: "var(--line)",
        TEACHER: "var(--teacher)",
        STUDENT: "var(--student)",
        CONTROL: "var(--control)",
        PAPER: "var(--paper)",
    }
)
_STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # a class may have a dollar in its name
    "text.usetex": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "medistill",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.titlepad": 8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": LINE,
    "grid.linewidth": 0.5,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
}


def draw(paint: Callable[[Axes], None], *, width: float, height: float, label: str) -> Markup:
    """Draw one panel.

    Args:
        paint: fills the axes.
        width: in inches; text is 9 points high.
        height: in inches.
        label: what the panel shows, for those who cannot see it.

    Returns:
        An ``<svg>`` element without outside references, safe to put into a page.
    """
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # The browser has its own fonts; matplotlib only measures the text.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(width, height), layout="constrained")
        paint(figure.subplots())
        text = io.StringIO()
        no_metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(text, format="svg", metadata=no_metadata)
    return Markup(_inline(text.getvalue(), label))  # noqa: S704


def _inline(document: str, label: str) -> str:
    body = document[document.index("<svg") :]
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    body = re.sub(r"\s*xmlns(:\w+)?=\"[^\"]*\"", "", body)
    body = body.replace("xlink:href=", "href=")
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, variable)
    body = _own_ids(body)
    view_box = re.search(r'viewBox="[^"]*"', body)
    box = view_box.group() if view_box else ""
    opening = f'<svg {box} role="img" aria-label="{html.escape(label)}">'
    return opening + body[body.index(">") + 1 :].strip()


def _own_ids(body: str) -> str:
    """Keep only the ids that are referred to, and make them unique in the page."""
    prefix = "p" + hashlib.sha256(body.encode()).hexdigest()[:8]
    used = set(re.findall(r"(?:href=\"#|url\(#)([^\")]+)", body))

    def rename(match: re.Match[str]) -> str:
        return f' id="{prefix}-{match.group(1)}"' if match.group(1) in used else ""

    body = re.sub(r"\s+id=\"([^\"]*)\"", rename, body)
    return re.sub(r"(href=\"#|url\(#)", rf"\g<1>{prefix}-", body)

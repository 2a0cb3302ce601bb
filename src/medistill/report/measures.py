"""A report of measures with intervals, for labels that are not exclusive and for masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from medistill.core.files import write_text

REPORT = "report.html"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A picture of the report.

    Attributes:
        data_uri: the picture as ``data:image/png;base64,...``.
        caption: what it shows.
    """

    data_uri: str
    caption: str


def write_measures(
    folder: Path,
    metrics: Mapping[str, Any],
    *,
    pictures: Sequence[Shown] = (),
    recipe_text: str = "",
    title: str = "Did distilling help?",
) -> Path:
    """Write ``report.html``: the answer, tables of estimates and differences, pictures, the recipe.

    Args:
        folder: where the file goes; it is replaced atomically.
        metrics: content of metrics.json as ``stages.measuring`` makes it.
        pictures: for example overlays of masks.
        recipe_text: the recipe as YAML.
        title: heading of the page.

    Returns:
        Path of the report.
    """
    environment = Environment(
        loader=PackageLoader("medistill.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["estimate"] = estimate_text
    page = environment.get_template("measures.html").render(
        title=title, m=metrics, pictures=pictures, recipe_text=recipe_text
    )
    write_text(folder / REPORT, page)
    return folder / REPORT


def estimate_text(value: Mapping[str, Any]) -> str:
    """``.812 (.775 to .844)``, or the value alone with the reason why there is no interval."""
    if value["estimate"] is None:
        return str(value["reason"])
    if value["low"] is None:
        return f"{value['estimate']:.3f} ({value['reason']})"
    return f"{value['estimate']:.3f} ({value['low']:.3f} to {value['high']:.3f})"

"""Fills a template of the report; all pages share one head, style and foot."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from medistill.report.values import p_value, with_minus


def filled(template: str, **values: object) -> str:
    """The text of a template; names that it misses are errors, and values are escaped."""
    environment = Environment(
        loader=PackageLoader("medistill.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(minus=with_minus, p_value=p_value)
    return environment.get_template(template).render(**values)

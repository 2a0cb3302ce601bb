"""What was found of classes and subgroups, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from medistill.core.counting import plural
from medistill.evaluate.harm import Hurt
from medistill.evaluate.intervals import Estimate

KINDS = ("class", "subgroup")


def in_words(
    found: Sequence[Hurt],
    family: Sequence[Hurt] | None = None,
    *,
    whose: str = "student serves",
    left_out: Sequence[str] = (),
) -> tuple[list[str], list[str]]:
    """Who is served worse, one sentence each; and what was not shown or could not be tested.

    Args:
        found: the comparisons of one student.
        family: everything that was corrected with them; None for nothing else.
        whose: who serves, with the verb: several students where there are folds.
        left_out: columns that make no subgroups, and why.
    """
    count = sum(each.p is not None for each in (found if family is None else family))
    together = plural("comparison", count)
    worse = [_sentence(each, together, whose) for each in found if each.verdict == "worse"]
    tested = [each for each in found if each.p is not None]
    rest = [] if worse or not tested else [_nobody(tested, together)]
    silent = _untested(found)
    if silent:
        rest.append(f"Not tested for harm: {'; '.join(silent)}.")
    return worse, rest + columns_in_words(left_out)


def columns_in_words(left_out: Sequence[str]) -> list[str]:
    """One sentence on what of the table makes no subgroups; see ``subgroups.columns_left_out``."""
    if not left_out:
        return []
    columns = ", ".join(left_out)
    return [f"Columns or values that make no subgroups, not tested for harm: {columns}."]


def _nobody(tested: Sequence[Hurt], together: str) -> str:
    """That no kind of part is shown to be served worse than by the models there were."""
    kinds = [kind for kind in KINDS if any(each.kind == kind for each in tested)]
    others = list(dict.fromkeys(f"the {each.other}" for each in tested))
    titles = list(dict.fromkeys(each.title for each in tested))
    return (
        f"No {' or '.join(kinds)} is shown to be served worse than by {' or '.join(others)}, by "
        f"{' or '.join(titles)} ({together}, corrected together)."
    )


def _untested(found: Sequence[Hurt]) -> list[str]:
    """What was not tested and why; by which metric, where it was by another."""
    tested = {(each.kind, each.name) for each in found if each.p is not None}
    texts = [
        f"{each.name} by {each.title} ({each.reason})"
        if (each.kind, each.name) in tested
        else f"{each.name} ({each.reason})"
        for each in found
        if each.p is None
    ]
    return list(dict.fromkeys(texts))


def _sentence(hurt: Hurt, together: str, whose: str) -> str:
    found = hurt.difference
    return (
        f"The {whose} the {hurt.kind} '{hurt.name}' worse than the {hurt.other}: "
        f"{hurt.title} {hurt.student or 0:.3f} against {hurt.against or 0:.3f}, a difference of "
        f"{found.estimate or 0:+.3f} ({_interval_text(found)}, "
        f"{_p_text(hurt.corrected)} corrected over {together})."
    )


def _interval_text(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return f"no interval: {found.reason}"
    return f"95 % interval {found.low:.3f} to {found.high:.3f}"


def _p_text(p: float | None) -> str:
    return "p < 0.001" if p is not None and p < 0.001 else f"p = {p or 0:.3f}"

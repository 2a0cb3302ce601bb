"""Items of CLAIM and TRIPOD+AI that a run fills, and those that its authors must.

CLAIM: Tejani et al., "Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024
Update", Radiology: Artificial Intelligence 6:e240300. TRIPOD+AI: Collins et al., BMJ 385:e078378
(2024). Items are paraphrased; their numbers are the checklists' own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Facts = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Checklist:
    """A reporting guideline.

    Attributes:
        title: its name.
        filled: item, and where in the report it stands.
        open: items that no software can fill.
    """

    title: str
    filled: tuple[tuple[str, str], ...]
    open: tuple[str, ...]


@dataclass(frozen=True)
class _Item:
    text: str
    where: str
    holds: Callable[[Facts, Facts], bool]


def checklists(metrics: Facts, provenance: Facts) -> list[Checklist]:
    """Both guidelines, with the items that this report fills.

    Args:
        metrics: content of metrics.json.
        provenance: where everything came from; empty for an evaluation without a run.
    """
    return [
        _judged("CLAIM 2024", CLAIM, CLAIM_AUTHORS, metrics, provenance),
        _judged("TRIPOD+AI", TRIPOD, TRIPOD_AUTHORS, metrics, provenance),
    ]


def _judged(
    title: str, items: tuple[_Item, ...], authors: tuple[str, ...], metrics: Facts, made: Facts
) -> Checklist:
    filled = tuple((item.text, item.where) for item in items if item.holds(metrics, made))
    rest = tuple(item.text for item in items if not item.holds(metrics, made))
    return Checklist(title=title, filled=filled, open=(*rest, *authors))


def _always(metrics: Facts, made: Facts) -> bool:
    return True


def _flow(metrics: Facts, made: Facts) -> bool:
    return bool(metrics.get("flow"))


def _made(metrics: Facts, made: Facts) -> bool:
    return bool(made)


def _decided(metrics: Facts, made: Facts) -> bool:
    return bool(metrics.get("decisions"))


def _explained(metrics: Facts, made: Facts) -> bool:
    return bool(metrics.get("explanation"))


def _compared(metrics: Facts, made: Facts) -> bool:
    return bool(metrics["models"]["control"] or metrics["models"]["teacher"])


def _parts(metrics: Facts, made: Facts) -> bool:
    kinds = {each["kind"] for each in metrics.get("harm", ())}
    return "subgroup" in kinds


CLAIM = (
    _Item("7 data sources: published layout and hash of the data", "Provenance", _made),
    _Item("9 preprocessing: size, normalisation, views", "Recipe", _made),
    _Item("12 missing data: what was left out and why", "Data flow", _flow),
    _Item("20 partition into parts, disjoint by group", "Data flow", _flow),
    _Item("21 level at which the parts are disjoint", "Answer and data flow", _flow),
    _Item("22 model: inputs, outputs, layers", "Sizes and recipe", _made),
    _Item("23 software and versions", "Provenance", _made),
    _Item("24 initial parameters", "Recipe", _made),
    _Item("25 training: augmentation, hyperparameters, number of models", "Recipe", _made),
    _Item("26 choice of the final model", "Learning", _made),
    _Item("28 metrics of performance", "Results", _always),
    _Item("29 significance and uncertainty", "Results and method", _always),
    _Item("30 robustness: strange images", "Trust", _decided),
    _Item("31 explainability and its validation", "Explanation", _explained),
    _Item("34 flow of images", "Data flow", _flow),
    _Item("36 performance with intervals on all parts that are reported", "Results", _always),
    _Item("37 comparison with other models", "Results", _compared),
    _Item("38 failure analysis", "Mistakes and answer", _always),
)
CLAIM_AUTHORS = (
    "1 to 4 title, abstract, background and hypothesis",
    "5 prospective or retrospective design",
    "6 study goal",
    "8 eligibility of patients",
    "10 selection of data subsets by hand",
    "11 de-identification",
    "13 to 18 reference standard: definition, rationale, readers, their agreement",
    "19 sample size and how it was determined",
    "35 demographic and clinical characteristics",
    "39 to 41 limitations, implications for practice, registration",
    "42 to 44 protocol, availability of code and data, funding",
)
TRIPOD = (
    _Item("6a data sources of development and evaluation", "Provenance", _made),
    _Item("7 data preparation", "Recipe", _made),
    _Item("11 missing data", "Data flow", _flow),
    _Item("12a how data were divided", "Data flow", _flow),
    _Item("12b handling of predictors", "Recipe", _made),
    _Item("12c type of model, building, choice, internal validation", "Recipe and method", _made),
    _Item(
        "12e measures of discrimination, calibration and clinical utility",
        "Results, trust",
        _decided,
    ),
    _Item("12f model updating: recalibration", "Trust", _decided),
    _Item("12g how predictions are made: thresholds", "Trust", _decided),
    _Item("14 fairness: performance in subgroups", "Answer", _parts),
    _Item("18f code: version of medistill", "Provenance", _made),
    _Item("20a flow of participants", "Data flow", _flow),
    _Item("21 numbers in each analysis", "Data flow and results", _flow),
    _Item("22 the model itself: the bundle and its hash", "Model card", _made),
    _Item("23a performance with intervals", "Results", _always),
    _Item("23b differences between clusters or subgroups", "Answer", _parts),
    _Item("24 results of updating", "Trust", _decided),
)
TRIPOD_AUTHORS = (
    "1 to 4 title, abstract, background, objectives and known health inequalities",
    "5 setting, dates and centres",
    "6b eligibility criteria and treatments",
    "8 outcome: definition, time, assessors",
    "9 predictors beyond the images",
    "10 sample size",
    "13 class imbalance: why it was handled as it was",
    "15 use of the output in care",
    "16 differences between development and evaluation settings",
    "17 ethical approval",
    "18a to 18e funding, conflicts, protocol, registration, availability of data",
    "19 involvement of patients and the public",
    "20b characteristics of participants",
    "25 to 27 interpretation, limitations, usability",
)

"""Items of CLAIM and TRIPOD+AI that a report fills, and those that its authors must.

CLAIM: Tejani et al., "Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024
Update", Radiology: Artificial Intelligence 6:e240300. TRIPOD+AI: Collins et al., BMJ 385:e078378
(2024). Items are paraphrased; their numbers are the checklists' own. An item counts as filled where
every part of the page that answers it is there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from types import MappingProxyType

#: What an item may point to: id in the page, and what a reader sees there.
PLACES = MappingProxyType(
    {
        "answer": "Answer",
        "results": "Results",
        "classes": "Classes",
        "subgroups": "Classes and subgroups compared",
        "calibration": "Calibration",
        "points": "Operating points",
        "strange": "Knowing when not to answer",
        "explanation": "Explanation",
        "learning": "Learning",
        "mistakes": "Mistakes",
        "sizes": "Sizes",
        "method": "Method",
        "start": "First weights",
        "flow": "Data flow",
        "external": "The other set",
        "left-out": "Images left out",
        "provenance": "Provenance",
        "recipe": "Recipe",
    }
)


@dataclass(frozen=True, kw_only=True)
class Checklist:
    """A reporting guideline.

    Attributes:
        title: its name.
        filled: item, and ids in the report where it stands.
        open: items that this report leaves to its authors.
    """

    title: str
    filled: tuple[tuple[str, tuple[str, ...]], ...]
    open: tuple[str, ...]


def checklists(shown: Collection[str]) -> list[Checklist]:
    """Both guidelines, with the items that this report fills.

    Args:
        shown: ids of ``PLACES`` that the page holds.
    """
    return [
        _judged("CLAIM 2024", CLAIM, CLAIM_AUTHORS, shown),
        _judged("TRIPOD+AI", TRIPOD, TRIPOD_AUTHORS, shown),
    ]


def _judged(
    title: str,
    items: MappingProxyType[str, tuple[str, ...]],
    authors: tuple[str, ...],
    shown: Collection[str],
) -> Checklist:
    filled = tuple((item, where) for item, where in items.items() if set(where) <= set(shown))
    rest = tuple(item for item, where in items.items() if not set(where) <= set(shown))
    return Checklist(title=title, filled=filled, open=(*rest, *authors))


CLAIM = MappingProxyType(
    {
        "7 data sources: layout and hash of the data": ("provenance",),
        "9 preprocessing: size, normalisation, views": ("recipe",),
        "12 missing data: images without labels or left out": ("left-out",),
        "19 how data were assigned to parts: shares, folds, seed": ("flow", "recipe"),
        "20 level at which the parts are disjoint": ("flow", "method"),
        "22 model: inputs, outputs, layers, size": ("sizes", "recipe"),
        "23 software and versions": ("provenance",),
        "24 initial parameters": ("start",),
        "25 training: augmentation, hyperparameters, number of models": ("recipe",),
        "26 choice of the final model": ("learning",),
        "27 ensembling: members of the teacher": ("recipe",),
        "28 metrics of performance": ("results",),
        "29 significance and uncertainty": ("results", "method"),
        "30 robustness: images of other kinds": ("strange",),
        "31 explainability and how it was validated": ("explanation",),
        "32 evaluation on internal data": ("results", "recipe"),
        "33 testing on external data (medistill evaluate makes a report of it)": (
            "results",
            "external",
        ),
        "35 images and groups that were included and left out": ("flow", "left-out"),
        "37 metrics with their uncertainty": ("results",),
        "38 diagnostic performance and its precision": ("classes",),
        "39 failure analysis": ("mistakes",),
    }
)
CLAIM_AUTHORS = (
    "1 to 4 title, abstract, background, aims and hypotheses",
    "5 prospective or retrospective design",
    "6 study goal",
    "8 inclusion and exclusion of patients",
    "10 selection of data subsets",
    "11 de-identification",
    "13 image acquisition protocol",
    "14 to 18 reference standard: definition, rationale, annotators, test set, their variability",
    "21 intended sample size",
    "34 clinical trial registration",
    "36 demographic and clinical characteristics",
    "40 to 41 limitations, implications for practice",
    "42 to 44 protocol, availability of software, model and data, funding",
)
TRIPOD = MappingProxyType(
    {
        "5a data sources: layout and hash of the data": ("provenance",),
        "7 data preparation": ("recipe",),
        "11 missing data: images without labels or left out": ("left-out",),
        "12a how the data were divided and used": ("flow", "recipe"),
        "12b handling of predictors: the images' views": ("recipe",),
        "12c type of model, building, choice, internal validation": ("recipe", "method"),
        "12d heterogeneity across clusters": ("subgroups", "method"),
        "12e measures of discrimination, calibration and utility": ("results", "calibration"),
        "12f model updating: temperatures": ("calibration",),
        "12g how predictions were calculated": ("recipe", "provenance"),
        "14 fairness: subgroups tested for harm": ("subgroups",),
        "15 output: probabilities, and how thresholds were found": ("points",),
        "18f analytical code: version of medistill": ("provenance",),
        "20a flow of images and groups, by outcome": ("flow", "left-out"),
        "20c outcomes of development and evaluation data": ("flow",),
        "21 numbers in each analysis": ("flow", "results"),
        "22 full model: recipe and hash of its weights": ("recipe", "provenance"),
        "23a performance with intervals, in all and by class": ("results", "classes"),
        "23b differences of performance between subgroups": ("subgroups",),
        "24 results of updating: calibration before and after": ("calibration",),
        "27a images that the model should not be used on": ("strange",),
    }
)
TRIPOD_AUTHORS = (
    "1 to 4 title, abstract, context, known health inequalities, objectives",
    "5b dates of the data",
    "6a to 6c setting, eligibility, treatments",
    "8a to 8c outcome: definition, assessors, blinding",
    "9a to 9c predictors beyond the images",
    "10 study size",
    "13 class imbalance: why it was handled as it was",
    "16 differences of setting between development and evaluation",
    "17 ethical approval",
    "18a to 18e funding, conflicts, protocol, registration, availability of data",
    "19 involvement of patients and the public",
    "20b characteristics of participants",
    "25, 26 interpretation, limitations",
    "27b, 27c interaction and expertise of users, next steps",
)

"""Fits what decides on *calibrate*: temperature, thresholds, prediction sets, trust gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medistill.bundle.trust import POOLED
from medistill.core.types import ImageSet
from medistill.evaluate.decisions import Answers, Fitted, Rules, fit_decisions
from medistill.evaluate.examined import Examined
from medistill.evaluate.operating import Wish
from medistill.models.network import Network
from medistill.recipe import DecideBlock
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.mask_prediction import ask_network, ask_teacher, mask_answers
from medistill.stages.prediction import answer_rows, answer_teacher
from medistill.teacher.frozen import FrozenTeacher

#: From rows to ``logits``, features, and for masks the true ``labels`` of the same pixels.
Ask = Callable[[Sequence[int]], Mapping[str, NDArray[Any]]]


def rules_of(block: DecideBlock) -> Rules:
    """The recipe's block as what the fits are asked for."""
    wish = None
    if block.rule is not None:
        wish = Wish(rule=block.rule, value=block.wished, positive=block.positive)
    return Rules(wish=wish, coverage=block.coverage, false_alarms=block.false_alarms)


def network_asker(network: Network, prepared: Prepared) -> Ask:
    """Logits of rows, with the pooled feature where the network has one."""
    want = frozenset({POOLED}) & network.feature_names
    if prepared.masks is not None:
        ask = ask_network(network, want)
        return lambda rows: mask_answers(ask, prepared, rows, network.preprocessing)
    return lambda rows: answer_rows(network, prepared, rows, want)


def teacher_asker(teacher: FrozenTeacher, prepared: Prepared) -> Ask:
    """The same of a teacher; features of several members have no mean that means anything."""
    want = frozenset({POOLED}) & teacher.members[0].feature_names
    if len(teacher.members) > 1:
        want = frozenset()
    if prepared.masks is not None:
        ask, seen = ask_teacher(teacher, want), teacher.members[0].preprocessing
        return lambda rows: mask_answers(ask, prepared, rows, seen)
    return lambda rows: answer_teacher(teacher, prepared, rows, want)


def ask_for(prepared: Prepared, rows: Sequence[int], ask: Ask) -> Answers:
    """What a model says of labelled rows, with their labels and groups."""
    said = ask(rows)
    samples = [prepared.images.samples[row] for row in rows]
    labels = said.get("labels")
    if labels is None:
        labels = labels_of(prepared.images, prepared.labels[list(rows)])
    return Answers(
        logits=said["logits"],
        labels=labels,
        groups=[sample.group for sample in samples],
        features=said.get(POOLED),
    )


def labels_of(images: ImageSet, rows: NDArray[np.float32]) -> NDArray[np.generic]:
    """Class numbers for single-label, the matrix itself for multi-label."""
    return rows.astype(np.float64) if images.task == "multi-label" else rows.argmax(axis=1)


def examine(context: Context, prepared: Prepared, fold: int, ask: Ask) -> Examined:
    """One model of one fold, fitted on *calibrate* and then asked about *evaluate*."""
    parts = prepared.parts[fold]
    calibrate = ask_for(prepared, parts.calibrate, ask)
    return Examined(
        fitted=fit_model(context, prepared, fold, ask, calibrate),
        calibrate=calibrate,
        evaluate=ask_for(prepared, parts.evaluate, ask),
    )


def fit_model(
    context: Context, prepared: Prepared, fold: int, ask: Ask, calibrate: Answers | None = None
) -> Fitted:
    """Everything that decides for one model of one fold, from *calibrate* (and *fit* features)."""
    parts, images = prepared.parts[fold], prepared.images
    calibrate = calibrate or ask_for(prepared, parts.calibrate, ask)
    known = None if calibrate.features is None else ask_for(prepared, parts.fit, ask)
    return fit_decisions(
        calibrate,
        task=images.task,
        classes=images.classes,
        rules=rules_of(context.recipe.decide),
        known=known,
        word=images.group_word,
    )

"""Did distilling help? In plain words, with the numbers that carry the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medistill.core.counting import plural
from medistill.evaluate.difference import FEWEST_SEEDS, Difference, SeedsDifference
from medistill.evaluate.intervals import Estimate
from medistill.evaluate.metrics import Metric

NO_CONTROL = (
    "No control (the same student without a teacher) was evaluated, so this data cannot say "
    "whether distilling helped."
)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """How much was evaluated, what a group is called, and how many folds have a student each."""

    images: int
    groups: int
    word: str
    folds: int = 1

    @property
    def in_groups(self) -> str:
        """For example ``218 articles``."""
        return plural(self.word, self.groups)

    @property
    def students(self) -> str:
        """Whose figures these are: one student, or one a fold, of which only one is shipped."""
        return "student" if self.folds == 1 else f"{self.folds} students of this seed, one a fold,"

    @property
    def serves(self) -> str:
        """The same with the verb of who is served worse."""
        return f"{self.students} serve{'s' if self.folds == 1 else ''}"


def answer_for_file(difference: Difference | None, *, metric: Metric, evidence: Evidence) -> str:
    """One sentence: did distilling make this student file better than its control?

    With folds it is about the students of all of them, since each image was asked of only one.

    Args:
        difference: student minus control; None without a control.
        metric: the headline metric.
        evidence: what was evaluated.
    """
    if difference is None:
        return NO_CONTROL
    scope = "For this file" if evidence.folds == 1 else f"For the {evidence.students.rstrip(',')}"
    return _sentence(scope, difference, difference.verdict, metric, evidence.in_groups)


def answer_for_method(
    difference: SeedsDifference | None, *, metric: Metric, evidence: Evidence
) -> str:
    """One sentence: would distilling help again, with other seeds and other groups?

    Args:
        difference: student minus control over seeds; None without a control.
        metric: the headline metric.
        evidence: what was evaluated.
    """
    if difference is None:
        return "For this method: not established, since there is no control."
    if difference.seeds < FEWEST_SEEDS:
        seeds = "is one" if difference.seeds == 1 else f"are {difference.seeds}"
        return (
            f"For this method: not established; that takes at least {FEWEST_SEEDS} training "
            f"seeds, and there {seeds}."
        )
    counts = f"{evidence.in_groups}, {difference.seeds} training seeds"
    return _sentence("For this method", difference, difference.verdict, metric, counts)


def opening(
    *,
    teacher: Estimate | None,
    student: Estimate,
    student_minus_teacher: Difference | None,
    metric: Metric,
    sizes: Mapping[str, Mapping[str, Any]],
) -> str | None:
    """What must be said first: the student is not better and its teacher no slower.

    Not better: not beyond chance. Scores and times are those of all members of a teacher. None
    otherwise, or without two latencies.
    """
    teacher_ms, student_ms = (sizes.get(r, {}).get("latency_ms") for r in ("teacher", "student"))
    if teacher is None or student_minus_teacher is None:
        return None
    if teacher_ms is None or student_ms is None or float(teacher_ms) > float(student_ms):
        return None
    if student_minus_teacher.verdict in ("better", "unknown"):
        return None
    scores = f"{metric.in_text} {_number(teacher.estimate)} against {_number(student.estimate)}"
    times = f"{float(teacher_ms):.1f} ms against {float(student_ms):.1f} ms an image"
    members = _members(sizes["teacher"])
    if student_minus_teacher.verdict == "worse":
        return (
            f"Use the teacher{members}: it is better than the student ({scores}) and no slower "
            f"({times})."
        )
    # That chance explains a difference does not make two models equal.
    difference = f"difference {student_minus_teacher.estimate:+.3f}"
    gap = f"{difference}, {_interval(student_minus_teacher)}; {scores}"
    return (
        f"The student is not shown to be better than its teacher ({gap}), and the teacher{members} "
        f"is no slower ({times}): use the teacher."
    )


def cost(sizes: Mapping[str, Mapping[str, Any]]) -> str | None:
    """One sentence: is the student smaller and faster than its teacher, as it must be?

    None without parameters and latencies of both.
    """
    student, teacher = (sizes.get(role, {}) for role in ("student", "teacher"))
    keys = ("parameters", "latency_ms")
    if any(row.get(key) is None for row in (student, teacher) for key in keys):
        return None
    failed = [
        word
        for word, key in zip(("smaller", "faster"), keys, strict=True)
        if student[key] >= teacher[key]
    ]
    runtime = f" ({student['runtime']})" if "runtime" in student else ""
    figures = (
        f"has {student['parameters']:,} parameters and takes {student['latency_ms']:.3g} ms an "
        f"image; its teacher{_members(teacher)} has {teacher['parameters']:,} and takes "
        f"{teacher['latency_ms']:.3g} ms{runtime}."
    )
    if failed:
        return f"The student is not {' and not '.join(failed)} than its teacher: it {figures}"
    return f"The student {figures}"


def _members(teacher: Mapping[str, Any]) -> str:
    """Whose cost it is, where several answer together."""
    members = teacher.get("members", 1)
    return f" (all {members} members)" if members > 1 else ""


def standing(student: Estimate, *, metric: Metric, evidence: Evidence) -> str:
    """One sentence: how good the student is, or those of all folds are."""
    whose = evidence.students
    if student.estimate is None:
        return f"{metric.title} of the {whose} is undefined here: {student.reason}."
    owner = f"The student's {metric.in_text}"
    if evidence.folds > 1:
        owner = f"The {metric.in_text} of the {whose}"
    of_groups = "" if evidence.word == "image" else f" from {evidence.in_groups}"
    return f"{owner} is {_value(student)} on {plural('image', evidence.images)}{of_groups}."


def shipped(own: Estimate, *, metric: Metric, images: int, folds: int) -> str:
    """One sentence: how good the one file is that leaves a run of several folds.

    Args:
        own: of the first fold's student on the images that were asked of it.
        metric: the headline metric.
        images: how many those are.
        folds: of the run, at least two.
    """
    start = (
        f"The shipped file is that of the first of {folds} folds; on its own "
        f"{plural('evaluation image', images)} its {metric.in_text} is"
    )
    if own.estimate is None:
        return f"{start} undefined: {own.reason}."
    return f"{start} {_value(own)}."


def with_caveats(sentence: str, caveats: Sequence[str]) -> str:
    """The sentence followed by what must stay with every figure of this data."""
    whole = (caveat[:1].upper() + caveat[1:].rstrip(".") + "." for caveat in caveats)
    return " ".join([sentence, *whole])


def _sentence(scope: str, difference: Estimate, verdict: str, metric: Metric, counts: str) -> str:
    if difference.estimate is None or difference.low is None:
        missing = "value" if difference.estimate is None else "interval"
        return (
            f"{scope}, the data cannot say whether distilling helped: {metric.in_text} has no "
            f"{missing}; {difference.reason}."
        )
    numbers = f"95 % interval {_number(difference.low)} to {_number(difference.high)}, {counts}"
    lower_is_better = "; lower is better" if metric.better == "lower" else ""
    if verdict == "undecided":
        return (
            f"{scope}, distilling made no difference that this data can show: {metric.in_text} "
            f"changed by {difference.estimate:+.3f} ({numbers}{lower_is_better})."
        )
    verb = "raised" if difference.estimate > 0 else "lowered"
    # What was lowered by .4 was lowered by .3 to .5, and not by -.5 to -.3.
    low, high = sorted((abs(difference.low), abs(difference.high or 0)))
    return (
        f"{scope}, distilling {verb} {metric.in_text} by {abs(difference.estimate):.3f} "
        f"(95 % interval {_number(low)} to {_number(high)}, {counts}{lower_is_better})."
    )


def _value(found: Estimate) -> str:
    return f"{_number(found.estimate)} ({_interval(found)})"


def _interval(found: Estimate) -> str:
    if found.low is None:
        return f"no interval: {found.reason}"
    return f"95 % interval {_number(found.low)} to {_number(found.high)}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"

"""Labels of a subject as words and as truth of each class."""

from __future__ import annotations

import numpy as np

from medistill.check.facts import Facts
from medistill.check.subject import Subject
from tests.unit.data.pictures import labelled_set


def test_truth_and_words() -> None:
    images = labelled_set([(1.0, np.nan), None, (0.0, 1.0)], task="multi-label")
    facts = {s.name: Facts(problem="bad" if n == 1 else "") for n, s in enumerate(images.samples)}
    subject = Subject(images=images, facts=facts, parts={})
    truth = subject.class_truth(images.samples)
    np.testing.assert_array_equal(truth["healthy"], [1, np.nan, 0])
    np.testing.assert_array_equal(truth["ill"], [np.nan, np.nan, 1])
    assert [subject.label_words(s) for s in images.samples] == [("healthy",), (), ("ill",)]
    assert [s.name for s in subject.readable] == ["000000.png", "000002.png"]


def test_copies_that_are_known_are_not_looked_for_again() -> None:
    images = labelled_set([0, 1, 0])
    names = [sample.name for sample in images.samples]
    facts = {name: Facts(problem="bad" if name == names[2] else "") for name in names}
    known = [["elsewhere.png"], [names[0], "elsewhere.jpg", names[1]], [names[2]]]
    subject = Subject(images=images, facts=facts, parts={}, known=known)
    assert subject.near_copies == [names[:2]]

import numpy as np
import pytest

from medistill.evaluate.bootstrap import draw_resamples
from medistill.evaluate.document import counts, definition, model_values, pair_values
from medistill.evaluate.metrics import METRICS
from medistill.evaluate.predictions import Predictions
from medistill.evaluate.scored import Scored, score
from tests.unit.evaluate.conftest import Simulate

CLASSES = ("normal", "ill")


def scored(simulate: Simulate, *models: int) -> list[Scored]:
    tables = [simulate(model=model) for model in models]
    return list(score(tables, draw_resamples(tables[0], resamples=50, seed=0)))


def test_counts_by_hand() -> None:
    table = Predictions(
        names=("a", "b", "c"),
        groups=("p", "p", "q"),
        labels=[0, 1, 1],
        probabilities=np.full((3, 2), 0.5),
    )
    assert counts(table, CLASSES, seeds=4) == {
        "images": 3,
        "groups": 2,
        "folds": 1,
        "seeds": 4,
        "images_per_class": {"normal": 1, "ill": 2},
        "groups_per_class": {"normal": 1, "ill": 2},
        "known_per_class": {"normal": 3, "ill": 3},
    }


def test_the_spread_over_seeds_is_that_of_the_seeds(simulate: Simulate) -> None:
    found = model_values(scored(simulate, 0, 1, 2), CLASSES, "patient")
    assert found is not None
    spread = found["seeds"]["auroc"]
    assert len(spread["values"]) == 3
    assert spread["mean"] == pytest.approx(np.mean(spread["values"]))
    assert spread["sd"] == pytest.approx(np.std(spread["values"], ddof=1))
    assert found["overall"]["auroc"]["estimate"] == pytest.approx(spread["values"][0])


def test_the_confusion_matrix_holds_every_image_once(simulate: Simulate) -> None:
    found = model_values(scored(simulate, 0), CLASSES, "patient")
    assert found is not None
    assert np.sum(found["confusion"]) == 120
    assert found["seeds"]["auroc"]["sd"] is None


def test_a_role_that_is_not_there_has_no_values() -> None:
    assert model_values([], CLASSES, "patient") is None
    assert pair_values({}, None, "control", CLASSES, "patient") is None


def test_every_metric_is_defined_in_words() -> None:
    for metric in METRICS.values():
        assert definition(metric)["better"] in {"higher", "lower"}
        assert definition(metric)["meaning"]

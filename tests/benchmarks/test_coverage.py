import pytest

from benchmarks.coverage import World, errors, verdict


@pytest.mark.parametrize(
    ("name", "truth", "images", "expected"),
    [
        ("accuracy", 0.9, 1, 4.0),  # 40 images, a tenth of them wrong
        ("accuracy", 0.9, 9, 20.0),  # 200 images
        ("f1", 0.98, 9, 4.0),
        ("sensitivity", 0.9, 9, 10.0),  # 100 of the class
        ("auroc", 0.9213503965, 9, 31.7310508),  # means 2 apart: Phi(-1) = .158655254
    ],
)
def test_errors_of_a_test_set(name: str, truth: float, images: int, expected: float) -> None:
    assert errors(name, truth, World(groups=40, images=images)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("share", "word"), [(0.929, "below"), (0.93, "within"), (0.97, "within"), (0.971, "above")]
)
def test_a_coverage_is_judged_against_what_is_wished(share: float, word: str) -> None:
    assert verdict(share) == word

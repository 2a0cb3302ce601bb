from __future__ import annotations

import math

from medistill.report.histories import best_column, read_curves


def test_reads_losses_terms_and_scores(history):
    curves = read_curves(history)
    assert curves.epochs == (1, 2)
    assert curves.terms == {"total": (1.5, 0.75), "soft": (1.0, 0.5), "hard": (0.5, 0.25)}
    assert curves.scores == {"raw.auroc": (0.6, 0.7), "ema.auroc": (0.55, 0.81)}
    assert best_column(curves, "auroc") == (0.55, 0.81)
    assert best_column(curves, "accuracy") is None


def test_a_single_term_is_the_loss(tmp_path):
    path = tmp_path / "h.csv"
    path.write_text("epoch,loss,term.task\n1,0.5,0.5\n")
    assert read_curves(path).terms == {"total": (0.5,)}


def test_gaps_become_nan_and_missing_files_nothing(tmp_path):
    path = tmp_path / "h.csv"
    path.write_text("epoch,loss\n1,0.5\n2,\n3,oops\n")
    total = read_curves(path).terms["total"]
    assert total[0] == 0.5
    assert math.isnan(total[1])
    assert math.isnan(total[2])
    path.write_text("epoch,loss\n")
    assert read_curves(path) is None
    assert read_curves(tmp_path / "absent.csv") is None

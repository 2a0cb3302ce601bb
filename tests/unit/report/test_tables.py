from __future__ import annotations

from medistill.report import tables


def test_columns_follow_what_there_is(metrics):
    assert tables.columns(metrics) == [
        ("Teacher", "teacher"),
        ("Student", "student"),
        ("Control", "control"),
        ("Student minus control", ""),
        ("Student minus teacher", ""),
    ]
    metrics["models"]["control"] = None
    metrics["differences"]["student_minus_control"] = None
    assert [name for name, _ in tables.columns(metrics)] == [
        "Teacher",
        "Student",
        "Student minus teacher",
    ]
    assert len(tables.overall(metrics)[0].rows[0].cells) == 3


def test_overall_cells(metrics):
    first, second, *_ = tables.overall(metrics)[0].rows
    assert first.title == "AUROC"
    teacher, _, _, gain, _ = first.cells
    assert (teacher.value, teacher.interval, teacher.role) == ("0.900", "0.850 to 0.950", "teacher")
    assert (gain.value, gain.note, gain.verdict) == ("+0.041", "p < 0.001", "better")
    assert (second.cells[3].value, second.cells[3].verdict) == ("\N{MINUS SIGN}0.020", "worse")


def test_a_missing_interval_says_why(metrics):
    metrics["models"]["student"]["overall"]["auroc"] |= {
        "low": None,
        "high": None,
        "reason": "too few groups (7 articles)",
    }
    cell = tables.overall(metrics)[0].rows[0].cells[1]
    assert (cell.value, cell.interval, cell.note) == ("0.870", "", "too few groups (7 articles)")


def test_classes_with_their_sizes(metrics):
    sections = tables.per_class(metrics)
    assert sections[0].title == "healthy (50 images, groups: 15)"
    assert [row.title for row in sections[0].rows] == ["Sensitivity"]  # AUROC is above for two


def test_confusions_as_shares_of_the_true_class(metrics):
    matrix = tables.confusions(metrics)[1]
    assert matrix.role == "student"
    assert matrix.rows[0] == ("healthy", ((40, 0.8), (10, 0.2)))


def test_sizes_are_compared(metrics):
    roles, rows = tables.sizes(metrics)
    assert roles == ["teacher", "student"]
    by_name = {name: (cells, times) for name, cells, times in rows}
    assert by_name["Parameters"][1] == "3.0 times less"
    assert by_name["Time an image, ms"] == (["30", "60"], "2.0 times more")
    assert by_name["Members, which answer together"] == (["\N{EM DASH}", "5"], "")


def test_no_sizes(metrics):
    metrics["sizes"] = {}
    assert tables.sizes(metrics) == ([], [])


def test_only_several_seeds_are_spread(metrics):
    assert tables.seeds(metrics) == [
        ("student", 2, "0.870", "0.010"),
        ("control", 2, "0.830", "0.010"),
    ]


def test_nested_provenance_is_flat():
    values = {
        "data": "ab",
        "versions": {"torch": "2.6", "old": None},
        "hashes": ["x", "y"],
        "n": [],
    }
    assert list(tables.flat(values)) == [
        ("Data", "ab"),
        ("Versions torch", "2.6"),
        ("Versions old", "none"),
        ("Hashes", "x, y"),
        ("N", "none"),
    ]


def test_very_many_names_share_one_text():
    values = {"seconds": {f"fold-{n}": n for n in range(13)}, "few": {"a": 1}}
    (name, text), few = tables.flat(values)
    assert name == "Seconds"
    assert text.startswith("fold-0 0; fold-1 1; ")
    assert few == ("Few a", "1")

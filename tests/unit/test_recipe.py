from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from medistill import catalog
from medistill.core.errors import RecipeError, UnknownNameError
from medistill.methods.guided import Guide, Guided
from medistill.methods.kdvit import KDViT
from medistill.recipe import dump_recipe, explained, load_recipe, parse_recipe
from medistill.recipe.explained import meanings


@pytest.mark.parametrize("name", catalog.recipes())
def test_every_shipped_recipe_survives_a_round_trip_through_yaml(name: str) -> None:
    recipe = load_recipe(name)
    text = yaml.safe_dump(dump_recipe(recipe))
    assert parse_recipe(yaml.safe_load(text), "again") == recipe


@pytest.mark.parametrize("name", catalog.recipes())
def test_every_shipped_recipe_is_complete_and_named_as_its_file(name: str) -> None:
    recipe = load_recipe(name)
    written = yaml.safe_load(catalog.recipe_path(name).read_text())
    assert recipe.name == name
    assert set(dump_recipe(recipe)) == set(written)


def test_overrides_reach_inner_blocks() -> None:
    recipe = load_recipe("kdvit", ("train.lr=1e-3", "method.temperature=3", "teacher.members=2"))
    assert recipe.train.lr == 1e-3
    assert recipe.method == KDViT(temperature=3.0, soft_weight=0.9)
    assert recipe.teacher.members == 2


REFUSED = [
    (
        "train.epcohs=3",
        UnknownNameError,
        r"^override: train.epcohs: no key is called 'epcohs'\. Did you mean 'epochs'\?",
    ),
    ("trian.epochs=3", UnknownNameError, r"^override: trian: no key .* Did you mean 'train'\?"),
    ("method.tau=3", UnknownNameError, r"^override: method.tau: no key is called 'tau'"),
    ("predistil.train.epochs=3", RecipeError, r"^override: predistil.* is missing"),
    ("train.epochs=many", RecipeError, r"^override: train.epochs: 'many' does not fit"),
    ("train.epochs=true", RecipeError, r"^override: train.epochs: True does not fit"),
    (
        "train.epochs=0",
        RecipeError,
        r"^override: train.epochs: 0 is not possible. Give at least 1\.$",
    ),
    ("teacher.fit.epochs=0", RecipeError, r"^override: teacher.fit.epochs: 0 is not possible"),
    ("train.ema=1", RecipeError, r"train.ema: 1.* Give at least 0 and at most 1"),
    ("views.count=0", RecipeError, r"^override: views.count: 0 is impossible"),
    ("method.temperature=0", RecipeError, r"^override: method.temperature: 0"),
    ("data.shares.evaluate=1.5", RecipeError, r"data.shares.evaluate: 1.5 is not between 0 and 1"),
    ("data.shares.select=0.6", RecipeError, r"data.shares: .* take 1.25 of the images"),
    ("method.name=kdvitt", UnknownNameError, "Did you mean 'kdvit'"),
    ("method=kdvit", RecipeError, "method: the key 'name' is missing"),
    ("student=small", RecipeError, "student: is 'small', not a block"),
    ("teacher.cross_fit=true", RecipeError, "at least 2 members"),
    ("train.mixup=0.2", RecipeError, "mixed images have no cached targets"),
    (
        "train.patience=3",
        RecipeError,
        r"train.patience: it would end the student before its control, which takes as many steps\. "
        r"Remove it, or set teacher.fit.patience\.$",
    ),
    ("data.fold=1", RecipeError, "fold 1 does not exist among 1 folds"),
    ("data.folds=0", RecipeError, "0 folds are impossible"),
    ("seeds=0", RecipeError, "0 seeds are impossible"),
    ("data.stored_size=0", RecipeError, "data.stored_size: 0 is not possible. Give at least 8"),
    ("data.workers=-1", RecipeError, "data.workers: -1 is not possible"),
    ("data.seed=-1", RecipeError, "data.seed: -1 is not possible"),
    ("teacher.members=0", RecipeError, "teacher.members: 0 is not possible"),
    ("export.opset=3", RecipeError, "export.opset: 3 is not possible"),
    ("export.bound=-1", RecipeError, "export.bound: -1.0 is not possible"),
    ("export.agreement=5", RecipeError, "export.agreement: 5.0 is not possible"),
    ("control.lr=-1", RecipeError, "control.lr: -1.0 is not possible"),
    ("control.weight_decay=-1", RecipeError, "control.weight_decay: -1.0 is not possible"),
    ("teacher.fit=null", RecipeError, "needs a weights file"),
    ("train.lr", RecipeError, "not of the form key=value"),
    ("name.first=x", RecipeError, "'name' is a value, not a block"),
    ("train.lr=[", RecipeError, "the value is not valid YAML"),
]


@pytest.mark.parametrize(("override", "kind", "words"), REFUSED)
def test_an_impossible_override_says_how_to_mend_it(
    override: str, kind: type[RecipeError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        load_recipe("demo", (override,))


@pytest.mark.parametrize(
    ("override", "where"),
    [
        ("train.lr=-1", "override: train.lr"),
        ("teacher.fit={epochs: 1, batch_size: 0, lr: 1}", "override: teacher.fit.batch_size"),
        # The file's own value is what no longer fits.
        ("train.epochs=2", "kdvit-small-cnn.yaml: train.warmup_epochs"),
    ],
)
def test_what_an_override_gave_is_not_blamed_on_the_file(override: str, where: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("kdvit-small-cnn", (override,))
    assert caught.value.where == where
    assert str(caught.value).startswith(f"{where}: ")


def test_what_the_file_holds_or_lacks_is_not_blamed_on_an_override(tmp_path: Path) -> None:
    path, written = tmp_path / "mine.yaml", dump_recipe(load_recipe("demo"))
    path.write_text(yaml.safe_dump(written | {"trian": 1}))
    with pytest.raises(UnknownNameError, match=r"^mine.yaml: trian: no key .* mean 'train'\?"):
        load_recipe(str(path), ("train.epochs=3",))
    del written["teacher"]["model"]
    path.write_text(yaml.safe_dump(written))
    with pytest.raises(RecipeError, match=r"^mine.yaml: teacher: the key 'model' is missing"):
        load_recipe(str(path), ("teacher.members=1",))


def test_fewer_epochs_than_the_warmup_say_that_both_are_to_be_changed() -> None:
    with pytest.raises(RecipeError, match="less than epochs, 2: the two change together"):
        load_recipe("kdvit-small-cnn", ("train.epochs=2",))


def test_a_teacher_may_stop_early() -> None:
    fit = load_recipe("demo", ("teacher.fit.patience=3",)).teacher.fit
    assert fit is not None
    assert fit.patience == 3


def test_mixing_across_the_folds_of_a_cross_fitted_teacher_is_refused() -> None:
    overrides = ("teacher.cross_fit=true", "teacher.members=3", "targets.mode=live")
    assert load_recipe("demo", overrides).teacher.cross_fit
    with pytest.raises(RecipeError, match="no member that never saw both"):
        load_recipe("demo", (*overrides, "train.cutmix=1.0"))


def test_a_missing_key_is_named() -> None:
    document = dump_recipe(load_recipe("demo"))
    del document["student"]
    with pytest.raises(RecipeError, match="the key 'student' is missing"):
        parse_recipe(document, "mine.yaml")


def test_a_file_of_ones_own_is_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(dump_recipe(load_recipe("demo")) | {"name": "mine"}))
    assert load_recipe(str(path)).name == "mine"


@pytest.mark.parametrize(
    ("text", "words"), [("a: [", "is not valid YAML"), ("- 1", "holds no mapping")]
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=words):
        load_recipe(str(path))


def test_an_unknown_recipe_gets_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'demo'"):
        load_recipe("demoo")


@pytest.mark.parametrize("name", ["./nofile.yaml", "nofile.yml", "recipes/kdvit", "./demo"])
def test_a_path_that_is_no_file_is_no_name(name: str) -> None:
    with pytest.raises(RecipeError, match="there is no such file") as caught:
        load_recipe(name)
    assert caught.value.where == name
    assert "Known" not in caught.value.cure


@pytest.mark.parametrize("values", ["[]", "[0]", "[0.1, -1]"])
def test_a_probe_needs_a_penalty(values: str) -> None:
    with pytest.raises(RecipeError, match=r"teacher\.probe\.penalties: .* are no penalties"):
        load_recipe("kdvit-small-cnn", (f"teacher.probe.penalties={values}",))


def test_a_probe_needs_a_view() -> None:
    with pytest.raises(RecipeError, match=r"teacher\.probe\.views: 0 is not possible"):
        load_recipe("kdvit-small-cnn", ("teacher.probe.views=0",))


def test_a_control_cannot_learn_less_than_the_lowest_rate() -> None:
    with pytest.raises(RecipeError, match=r"control\.lr: 0\.001 is not possible"):
        load_recipe("demo", ("train.min_lr=0.001", "control.lr=0.0001"))


@pytest.mark.parametrize("method", ["kdvit", "supervised"])
@pytest.mark.parametrize(
    ("name", "key"), [("kdvit-small", "teacher.predistil"), ("affinity-small", "predistil")]
)
def test_a_stage_without_labels_has_a_method_without_labels(
    name: str, key: str, method: str
) -> None:
    with pytest.raises(RecipeError, match=f"{key}.method: it learns from labels"):
        load_recipe(name, (f"{key}.method={{name: {method}}}",))


@pytest.mark.parametrize(
    ("name", "key"), [("kdvit-small", "teacher.predistil"), ("affinity-small", "predistil")]
)
def test_a_stage_without_labels_has_no_classes_to_balance(name: str, key: str) -> None:
    with pytest.raises(RecipeError, match=rf"{key}\.train\.balance: without labels"):
        load_recipe(name, (f"{key}.train.balance=0.5",))


def test_a_guide_is_one_more_term_of_any_method() -> None:
    guide = Guide(teacher_map="stage4", weight=3)
    recipe = load_recipe("hinton-small", ("guide={teacher_map: stage4, weight: 3}",))
    assert recipe.lesson == Guided(method=recipe.method, guide=guide)
    assert recipe.lesson.needs == {"logits", "stage4"}
    assert parse_recipe(dump_recipe(recipe), "again") == recipe
    plain = load_recipe("hinton-small", ("guide=null",))
    assert plain.lesson == plain.method


def test_a_guide_of_no_weight_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"guide\.weight"):
        load_recipe("hinton-small", ("guide.weight=-1",))


def test_weights_that_would_not_be_read_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"teacher\.weights: .* would not be read"):
        load_recipe("kdvit-small", ("teacher.weights=vit.safetensors",))


@pytest.mark.parametrize(
    ("ablation", "method"),
    [
        ("kdvit-alpha-small", {"soft_weight": 0.5}),
        ("kdvit-temperature-small", {"temperature": 1.0}),
        ("kdvit-multiclass-small", {}),
        ("kdvit-alpha", {"soft_weight": 0.5}),
        ("kdvit-temperature", {"temperature": 1.0}),
        ("kdvit-multiclass", {}),
    ],
)
def test_an_ablation_of_kdvit_differs_in_what_it_names_alone(
    ablation: str, method: dict[str, float]
) -> None:
    base = load_recipe("kdvit-small" if ablation.endswith("-small") else "kdvit")
    expected = replace(base, name=ablation, method=replace(base.method, **method))  # type: ignore[type-var]
    assert load_recipe(ablation) == expected


@pytest.mark.parametrize("form", ["", "-small"])
def test_the_stage_on_14_labels_has_the_student_that_it_is_for(form: str) -> None:
    first, then = (load_recipe(f"{name}{form}") for name in ("deit-cxr-14-labels", "deit-cxr"))
    assert first.student == then.student


@pytest.mark.parametrize("name", catalog.recipes())
def test_a_recipe_explained_in_full_is_the_same_recipe(name: str) -> None:
    recipe = load_recipe(name)
    text = explained(recipe)
    document = yaml.safe_load(text)
    assert document == yaml.safe_load(yaml.safe_dump(dump_recipe(recipe)))
    assert parse_recipe(document, name) == recipe


@pytest.mark.parametrize("name", catalog.recipes())
def test_every_value_of_a_recipe_is_explained(name: str) -> None:
    lines = explained(load_recipe(name)).splitlines()
    bare = [
        line
        for above, line in zip(["", *lines], lines, strict=False)
        if not line.lstrip().startswith(("#", "name:")) and not above.lstrip().startswith("#")
    ]
    assert bare == []


def test_a_meaning_stands_above_its_value() -> None:
    lines = explained(load_recipe("kdvit-small")).splitlines()
    at = lines.index("  balance: 0.0")
    assert lines[at - 4].startswith("  # how far classes are shown equally often")
    assert "  mixup: 0.0" in lines
    assert not any("None" in line for line in lines)


def test_a_method_made_from_another_has_its_meanings() -> None:
    assert meanings(KDViT)["temperature"] == "T; softens both sides."

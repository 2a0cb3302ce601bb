import pickle

from medistill.core.errors import MedistillError, MissingExtraError, UnknownNameError


def test_an_error_says_where_what_and_the_cure() -> None:
    error = MedistillError(where="a.png", what="is empty.", cure="Replace it.")
    assert str(error) == "a.png: is empty. Replace it."
    assert error.exit_code == 2


def test_an_unknown_name_gets_the_nearest_and_all_known() -> None:
    error = UnknownNameError(where="x.yaml", kind="method", name="kdvitt", known=("b", "kdvit"))
    assert "Did you mean 'kdvit'? Known: b, kdvit." in str(error)


def test_a_name_like_no_other_gets_no_suggestion() -> None:
    assert "Did you mean" not in str(
        UnknownNameError(where="x", kind="method", name="zzz", known=("kdvit",))
    )


def test_a_missing_extra_is_named_with_its_command() -> None:
    assert "pip install 'medistill[train]'" in str(
        MissingExtraError(command="medistill run", extra="train")
    )


def test_an_error_crosses_processes() -> None:
    error = UnknownNameError(where="x", kind="method", name="kdvitt", known=("kdvit",))
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is UnknownNameError
    assert str(again) == str(error)

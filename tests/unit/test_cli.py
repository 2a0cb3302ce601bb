"""The command line as a user meets it: in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def medistill(*words: str, blocked: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a command; modules in ``blocked`` are as if they were not installed."""
    code = (
        "import sys, importlib.util\n"
        f"blocked = {blocked!r}\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda n, p=None: None if n in blocked else find(n, p)\n"
        "from medistill.cli import main\n"
        f"sys.argv = ['medistill', *{words!r}]\n"
        "main()"
    )
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )


def test_help_names_every_command_of_the_design() -> None:
    found = medistill("--help")
    assert found.returncode == 0
    for command in ("demo", "recipes", "run", "teach", "distill", "export", "predict", "evaluate"):
        assert command in found.stdout
    assert "not a medical device" in found.stdout


@pytest.mark.parametrize("words", [("--help",), ("predict", "--help"), ("recipes",)])
def test_what_needs_no_model_starts_without_torch(words: tuple[str, ...]) -> None:
    code = (
        "import sys\nfrom medistill.cli import app\n"
        f"app({list(words)!r}, standalone_mode=False)\n"
        "sys.exit(3 if {'torch', 'timm', 'sklearn'} & sys.modules.keys() else 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()


def test_recipes_are_listed_with_what_they_are_for() -> None:
    lines = medistill("recipes").stdout.splitlines()
    assert any(line.startswith("kdvit-small") and "KDViT" in line for line in lines)


def test_a_recipe_is_shown_with_its_comments() -> None:
    assert "# grouped K-fold" in medistill("recipes", "kdvit-small").stdout
    assert "\n  label_smoothing: 0.0\n" in medistill("recipes", "kdvit-small", "--all").stdout


WRONG = [
    (("recipes", "kdvit-smal"), "Did you mean 'kdvit-small'"),
    (("run", "demo", "train.epcohs=3"), "Did you mean 'epochs'"),
    (("run", "kdvit-small"), "Give --data PATH"),
    (("run", "kdvit-small", "--data", "nowhere"), "there is no such file or folder"),
    (("distill", "nowhere"), "is not a run folder"),
    (("predict", "nowhere", "x.png"), "nowhere"),
    (("predict",), "Missing argument"),
    (("fly",), "No such command"),
]


# Importing torch takes seconds: one process says what is wrong with one command after another.
IN_TURN = """
import json, os, sys, tempfile, traceback
from medistill.cli import main

def said(words):
    sys.argv = ['medistill', *words]
    console = os.dup(2)
    with tempfile.TemporaryFile('w+') as heard:
        os.dup2(heard.fileno(), 2)
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stderr.flush()
        os.dup2(console, 2)
        os.close(console)
        heard.seek(0)
        return code, heard.read()

print(json.dumps([said(words) for words in json.loads(sys.argv[1])]))
"""


@pytest.fixture(scope="module")
def mistakes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], tuple[int, str]]:
    """What follows from each wrong command: its exit code and what it printed of its fault."""
    commands = [words for words, _ in WRONG]
    found = subprocess.run(
        [sys.executable, "-c", IN_TURN, json.dumps(commands)],
        cwd=tmp_path_factory.mktemp("nothing"),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    said = [(code, text) for code, text in json.loads(found.stdout)]
    return dict(zip(commands, said, strict=True))


@pytest.mark.parametrize(("words", "said"), WRONG)
def test_a_users_mistake_is_one_message_and_exit_code_2(
    words: tuple[str, ...], said: str, mistakes: dict[tuple[str, ...], tuple[int, str]]
) -> None:
    code, text = mistakes[words]
    assert code == 2
    assert said in text
    assert "Traceback" not in text


def test_a_command_without_its_extra_says_so_in_one_sentence() -> None:
    found = medistill("run", "demo", blocked=("torch",))
    assert found.returncode == 2
    assert "pip install 'medistill[train]'" in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1


def test_ctrl_c_says_that_finished_stages_are_kept(tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "medistill", "run", "demo", "--out", str(tmp_path / "run")),
        *("data.path=phantom:count=60,size=32", "data.unlabelled=null", "data.stored_size=32"),
        "data.workers=0",
        *("teacher.model.image_size=32", "student.image_size=32", "teacher.fit.epochs=500"),
    ]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    deadline = time.monotonic() + 90
    checkpoint = tmp_path / "run/teacher.partial/fit-0/last.pt"
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert (tmp_path / "run/data/manifest.json").exists()
    assert "Finished stages are kept" in said
    assert "Traceback" not in said

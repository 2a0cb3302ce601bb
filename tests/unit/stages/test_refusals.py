"""What a method, a network or a set of images cannot do is refused before anything is trained."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from medistill.cli import main
from medistill.core.errors import MedistillError
from medistill.stages.run import run
from tests.recipes.small_recipes import small_overrides

MASKS = "data.path=phantom:count=80,size=32,task=segmentation"
LABELS = "data.path=phantom:count=80,size=32,task=lesions"
CLASSES = "data.path=phantom:count=80,size=32"

#: Recipe, overrides on top of its small form, words of the message, words of the cure.
REFUSED: dict[str, tuple[str, tuple[str, ...], str, str]] = {
    "rskd on labels": ("rskd-small", (CLASSES,), "these images have labels and no masks", "masks"),
    "rskd on labels, without decoders": (
        "hinton-small",
        ("method={name: rskd}",),
        "RSKD is for segmentation images, and these are single-label",
        "Choose another method",
    ),
    "classes of masks": (
        "hinton-small",
        (MASKS, "train.select_by=dice", "teacher.fit.select_by=dice"),
        "makes no masks",
        "Set both to mlp",
    ),
    "a single-label method on several labels": (
        "hinton-small",
        (LABELS,),
        "Hinton is for single-label images, and these are multi-label",
        "Choose another method",
    ),
    "similarities of one image": (
        "rms-net-small",
        ("train.batch_size=1",),
        "RMSNet compares images with each other, and a step has 1",
        "Give at least 2, better 32",
    ),
    "correlations of one image": (
        "dist-small",
        ("train.batch_size=1",),
        "Dist compares images with each other, and a step has 1",
        "Give at least 2",
    ),
    "batch norm of one image": (
        "multi-label-small",
        ("train.batch_size=1", "student={name: mobilevit_xxs, image_size: 32, shrinkage: r4}"),
        "normalises over a batch, and a step has 1",
        "Give train.batch_size=2 or more",
    ),
    "two standardised logits": (
        "hinton-small",
        ("method.standardise=true",),
        "two standardised logits are -1 and 1 for every image",
        "Set method.standardise=false; it needs three or more classes",
    ),
    "stages that the teacher lacks": (
        "locality-small",
        ("method.teacher_stages=[stage7, stage8, stage9]",),
        "tf_efficientnet_lite0 has no feature 'stage7' to teach with",
        "name one of: .*stage4",
    ),
    "ranks of a convolutional teacher": (
        "rskd-cnn-small",
        ("method.rank_weight=0.05",),
        "tf_efficientnet_lite0 shows no ranking of tokens",
        "Set method.rank_weight=0, or take a PVTv2 teacher",
    ),
    "ranks of a convolutional student": (
        "rskd-small",
        ("student={name: resnet18, image_size: 64, decoder: mlp, decoder_width: 16}",),
        "the student has no 'importance2'",
        "Set method.rank_weight=0",
    ),
    "more places than tokens": (
        "rskd-small",
        ("method.top_share=1.5",),
        "1.5 is impossible",
        "Give a share above 0 and at most 1",
    ),
    "too few tokens": (
        "rskd-small",
        ("student.image_size=32", "teacher.model.image_size=32"),
        "level 2 has 1 tokens|level 2 has 4 tokens|level 3 has 1 tokens",
        "Name finer levels, or raise image_size",
    ),
    "sides that the decoder cannot halve": (
        "rskd-small",
        ("student.image_size=72",),
        "72 is not divisible by 32, the coarsest scale",
        "Nearest valid image_size: 64",
    ),
    "sides that patches do not divide": (
        "hinton-small",
        ("student.image_size=36",),
        "36 .*8",
        "Nearest valid image_size: 32|Nearest valid image_size: 40",
    ),
    "a student without a distillation token": (
        "deit-small",
        ("student.distilled=false",),
        "teaches a distillation token, and the student has none",
        "Set student.distilled=true",
    ),
    "another grid of patches": (
        "vitkd-small",
        ("student.patch_size=16",),
        "patches, the student",
        "Give both the same image_size / patch_size",
    ),
    "mixed masks": (
        "rskd-small",
        ("train.mixup=0.8",),
        "masks cannot be mixed",
        "Set mixup and cutmix to 0",
    ),
    "masks that RandAugment leaves behind": (
        "rskd-small",
        ("views.rand_augment=rand-m9-mstd0.5-inc1",),
        "RandAugment moves pictures, and masks would not follow",
        "Set it to null",
    ),
    "a canvas larger than what is stored": (
        "rskd-small",
        ("student.canvas=256", "views.scale=[0.2,0.4]"),
        "hold nothing that a canvas of 256 would show",
        "Set data.stored_size=256",
    ),
    "views that show more than a window": (
        "rskd-small",
        ("student.canvas=128", "data.stored_size=128"),
        "views show 0.5 to 1 of an image, and a window of student shows 0.25",
        "Set views.scale=.0.17,0.38.",
    ),
    "a probe on masks": (
        "rskd-small",
        ("teacher.fit=null", "teacher.probe={views: 1}", "teacher.weights=published"),
        "a probe learns labels of images, not masks",
        "Set teacher.probe=null",
    ),
}


@pytest.fixture(autouse=True)
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*_: object, **__: object) -> None:
        raise AssertionError("a training was started")

    monkeypatch.setattr("medistill.stages.training.fit", train)
    monkeypatch.setattr("medistill.stages.probe.fit_probe", train)


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_the_cure(case: str, tmp_path: Path) -> None:
    recipe, overrides, words, cure = REFUSED[case]
    with pytest.raises(MedistillError, match=f"(?s)(?:{words}).*(?:{cure})"):
        run(recipe, out=tmp_path / "run", overrides=(*small_overrides(recipe), *overrides))


def test_the_command_ends_with_code_2_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = (*small_overrides("rms-net-small"), "train.batch_size=1")
    command = ["medistill", "run", "rms-net-small", "--out", str(tmp_path / "run"), *given]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "Give at least 2" in " ".join(said.split())

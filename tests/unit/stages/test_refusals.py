"""What a method, a network or a set of images cannot do is refused before anything is trained."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from medistill.cli import main
from medistill.core.files import sha256_json
from medistill.recipe import dump_recipe, load_recipe
from tests.recipes.small_recipes import small_overrides

MASKS = "data.path=phantom:count=80,size=32,task=segmentation"
LABELS = "data.path=phantom:count=80,size=32,task=lesions"
CLASSES = "data.path=phantom:count=80,size=32"

DECODERS = (
    "student={name: pvt_v2_b0, image_size: 64, decoder: mlp, decoder_width: 16}",
    "teacher.model={name: tf_efficientnet_lite0, image_size: 64, decoder: mlp, decoder_width: 16}",
)

Said = Callable[..., tuple[int, str]]

#: Recipe, overrides on top of its small form, words of the message, words of the cure.
REFUSED: dict[str, tuple[str, tuple[str, ...], str, str]] = {
    "rskd on labels": (
        "rskd-small",
        (CLASSES,),
        "RSKD is for segmentation images, and these are single-label: it learns masks",
        "Take method=.name: hinton.",
    ),
    "networks of masks on labels": (
        "hinton-small",
        DECODERS,
        "these images have labels and no masks",
        "Leave decoder out, or give images with masks",
    ),
    "networks of labels on masks": (
        "dist-small",
        (MASKS, "method.task=segmentation"),
        "a network without a decoder makes no masks",
        "Set both to mlp",
    ),
    "a single-label method on masks": (
        "hinton-small",
        (MASKS,),
        "Hinton is for single-label images, and these are segmentation: it compares one answer",
        "Take method=.name: rskd., or dist or locality",
    ),
    "a single-label method on several labels": (
        "hinton-small",
        (LABELS,),
        "Hinton is for single-label images, and these are multi-label: its classes exclude",
        "Take method=.name: multi_label., .* or dist, locality, vkd or ofa with",
    ),
    "a baseline on other labels than it is told": (
        "dist-small",
        (LABELS,),
        "Dist is for single-label images, and these are multi-label: method.task names",
        "Set method.task=multi-label",
    ),
    "pooled features of masks": (
        "vkd-small",
        (MASKS,),
        "VkD is for single-label images, and these are segmentation: .* places are forgotten",
        "Take method=.name: rskd., or dist or locality with method.task=segmentation",
    ),
    "exits of masks": (
        "ofa-small",
        (MASKS,),
        "OFA is for single-label images, and these are segmentation: .* places are forgotten",
        "Take method=.name: rskd., or dist or locality with method.task=segmentation",
    ),
    "a method of masks whose task is none": (
        "vkd-small",
        ("method.task=segmentation",),
        "method.task: 'segmentation' does not fit: Input should be 'single-label' or 'multi-label'",
        "Mend the value",
    ),
    "standardised labels": (
        "dist-small",
        (LABELS, "method.task=multi-label", "method.standardise=true"),
        "over classes that exclude each other, and these labels do not",
        "Set method.standardise=false",
    ),
    "mixed images of cross-fitted folds": (
        "hinton-small",
        (
            "train.mixup=0.8",
            "targets.mode=live",
            "teacher.members=2",
            "teacher.cross_fit=true",
        ),
        "a cross-fitted teacher has no member that never saw both mixed images",
        "Set teacher.cross_fit=false, or mixup and cutmix to 0",
    ),
    "mixed images with stored answers": (
        "hinton-small",
        ("train.cutmix=1.0",),
        "mixed images have no cached targets",
        "Set targets.mode=live, or mixup and cutmix to 0",
    ),
    "levels that RMS-Net's teacher lacks": (
        "rms-net-small",
        (
            "teacher.model={name: vit, image_size: 32, patch_size: 8, width: 96}",
            "teacher.weights=null",
            "teacher.probe=null",
            "teacher.fit={epochs: 1, batch_size: 16, lr: 1.0e-3}",
        ),
        "vit has no feature 'stage2' to teach with",
        "name one of: .*tokens.0",
    ),
    "levels that RMS-Net's student lacks": (
        "rms-net-small",
        ("student={name: vit, image_size: 32, patch_size: 8, width: 16, depth: 4, heads: 2}",),
        "it has no 'stage2', whose attention rms_net compares",
        "name its maps in method.levels",
    ),
    "layers that the student lacks": (
        "ofa-small",
        ("method.exits=9",),
        "it shows 4 layers, and ofa guides 9",
        "Choose a deeper student",
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
        "Give at least 3",
    ),
    "batch norm of one image": (
        "multi-label-small",
        ("train.batch_size=1", "student={name: mobilevit_xxs, image_size: 32, shrinkage: r4}"),
        "normalises over a batch, and a step has 1",
        "Give train.batch_size=2 or more",
    ),
    "batch norm of one pixel": (
        "hinton-small",
        ("train.batch_size=1", "student={name: resnet18, image_size: 32}"),
        "normalises over a batch, and a step has 1",
        "Give train.batch_size=2 or more",
    ),
    "correlations of two images": (
        "dist-small",
        ("train.batch_size=2",),
        "Dist compares images with each other, and a step has 2",
        "Give at least 3",
    ),
    "standardised decisions": (
        "deit-small",
        ("method.kind=hard", "method.standardise=true"),
        "method.standardise: it does nothing where the teacher's decision counts alone",
        "Leave it out, or set method.kind=soft",
    ),
    "scores to standardise that nobody compares": (
        "locality-small",
        ("method.standardise=true",),
        "method.standardise: it does nothing without Hinton's term",
        "Leave it out, or give method.soft_weight",
    ),
    "levels of other sizes": (
        "rms-net-small",
        ("method.teacher_levels=[stage1, stage2, stage3]",),
        "student's 'stage2' is 8 times smaller than its image, the teacher's 'stage1' 4 times",
        "Pair maps of one level in method.levels and method.teacher_levels",
    ),
    "masks of other sizes": (
        "rskd-small",
        ("teacher.model.image_size=96",),
        "teacher.model.image_size: the stages of teacher and student have other sizes",
        "Give both the same image_size",
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
    "an elder without that map": (
        "kdvit-small",
        ("teacher.predistil.method={name: embedding, map_weight: 1.0, teacher_map: stage9}",),
        "teacher.predistil.method: tf_efficientnet_lite0 has no feature 'stage9'",
        "name one of: .*stage4",
    ),
    "an elder's vector as a map": (
        "kdvit-small",
        ("teacher.predistil.method={name: embedding, map_weight: 1.0, teacher_map: pooled}",),
        "teacher.predistil.method.teacher_map: the teacher's 'pooled' has no positions",
        "Name a stage",
    ),
    "a guide that the teacher lacks": (
        "deit-cxr-small",
        ("guide={teacher_map: stage9, weight: 2.0}",),
        "guide.teacher_map: tf_efficientnet_lite0 has no feature 'stage9'",
        "name one of: .*stage4",
    ),
    "a vector as a guide": (
        "deit-cxr-small",
        ("guide={teacher_map: pooled, weight: 2.0}",),
        "guide.teacher_map: the teacher's 'pooled' has no positions",
        "Name a stage",
    ),
    "a guide beside a method of layers": (
        "locality-small",
        ("guide={teacher_map: stage3, weight: 2.0}",),
        "guide: Locality guides layers of the student already",
        "Set guide=null, or take a method of scores",
    ),
    "a guide for a method of masks": (
        "hinton-small",
        (MASKS, "guide={teacher_map: stage3, weight: 2.0}"),
        "Hinton is for single-label images, and these are segmentation: it compares one answer",
        "Take method=.name: rskd.",
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
        ("train.mixup=0.8", "targets.mode=live"),
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


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("refused")


@pytest.fixture
def said(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Said]:
    """Runs a recipe in this process: the exit code and what is said of the fault."""
    before = signal.getsignal(signal.SIGINT)

    def command(recipe: str, *given: str) -> tuple[int, str]:
        # Recipes of one kind of data share a folder, so that its images are drawn once.
        stored = (*small_overrides(recipe), *(o for o in given if o.startswith("data.path=")))
        out = folders / sha256_json(dump_recipe(load_recipe(recipe, stored))["data"])[:12]
        words = ["medistill", "run", recipe, "--out", str(out), *small_overrides(recipe), *given]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as stopped:
            main()
        return int(str(stopped.value.code)), capsys.readouterr().err

    yield command
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_the_cure(case: str, said: Said) -> None:
    recipe, overrides, words, cure = REFUSED[case]
    code, text = said(recipe, *overrides)
    assert code == 2, text
    assert "Traceback" not in text
    message = text.strip().splitlines()[-1]
    assert message.startswith("medistill: ")
    assert re.search(f"(?:{words}).*(?:{cure})", message), message

"""The blocks of a recipe: frozen dataclasses whose fields are the keys of their YAML block."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from medistill.core.types import Plane
from medistill.data.views import ViewPolicy
from medistill.methods.guided import Guide, Guided
from medistill.methods.method import Method
from medistill.models.spec import ModelSpec
from medistill.train.settings import TrainSettings


@dataclass(frozen=True, kw_only=True)
class SharesBlock:
    """Shares of the labelled images; the rest is *fit*.

    Attributes:
        select: chooses checkpoints.
        calibrate: holds temperature, thresholds and the export gate.
        evaluate: is reported; unused under K-fold and where the layout publishes such a part.
    """

    select: float = 0.15
    calibrate: float = 0.15
    evaluate: float = 0.2


@dataclass(frozen=True, kw_only=True)
class DataBlock:
    """Where the images are and how they are cut into parts.

    Attributes:
        path: folder, table or phantom specification; usually given with ``--data``.
        layout: name of the layout, or null to recognise it.
        stored_size: short side of the stored images in pixels.
        channels: ``gray`` or ``rgb``.
        window: gray scale of CT: ``lung``, ``mediastinum``, ``bone`` or ``centre/width`` in HU;
            null takes what each file declares.
        plane: along which NIfTI volumes are cut: ``axial``, ``coronal`` or ``sagittal``.
        folds: 1 for one split into four parts, K for grouped K-fold over all images.
        fold: run this fold only (0 to K-1), or null for all.
        seed: seed of the parts.
        shares: shares of the parts.
        unlabelled: folder or phantom specification of further images without labels, or null. What
            tells of held-out images (their groups, their copies) is left out.
        allow: fatal findings of the check, by name, in spite of which to train.
        skip_unreadable: leave unreadable images out instead of stopping.
        workers: processes that decode images, read masks and draw phantoms; 0 works in this one.
    """

    path: str | None = None
    layout: str | None = None
    stored_size: int = 256
    channels: Literal["gray", "rgb"] = "gray"
    window: str | None = None
    plane: Plane = "axial"
    folds: int = 1
    fold: int | None = None
    seed: int = 0
    shares: SharesBlock = field(default_factory=SharesBlock)
    unlabelled: str | None = None
    allow: tuple[str, ...] = ()
    skip_unreadable: bool = False
    workers: int = 0


@dataclass(frozen=True, kw_only=True)
class PredistilBlock:
    """Label-free distillation of the teacher itself, from another model on unlabelled images.

    Attributes:
        model: the model it learns from.
        weights: ``published`` or a weights file.
        method: a label-free method.
        train: how long and how fast.
        least_steps: where images are so few that ``train.epochs`` make fewer steps, there are more
            epochs; 0 keeps them as they are.
    """

    model: ModelSpec
    weights: str = "published"
    method: Method
    train: TrainSettings
    least_steps: int = 0


@dataclass(frozen=True, kw_only=True)
class ProbeBlock:
    """Fitting of one linear layer on all stages of a body that keeps its weights.

    Attributes:
        views: views of each training image that it is fitted on, the un-augmented one included.
        penalties: weights of ``|W|^2 / 2`` beside the mean cross-entropy; *select* chooses one.
    """

    views: int = 4
    penalties: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0, 3.0)


@dataclass(frozen=True, kw_only=True)
class TeacherBlock:
    """The large model.

    Attributes:
        model: what it is.
        weights: ``published``, a weights file, or null for a random start.
        predistil: first distil it, without labels, from another model; or null.
        fit: how it is fitted on the labels; null uses the weights as they are, or a probe.
        probe: fit a linear layer on its stages alone, in place of ``fit``; or null.
        views: its own views while it is fitted; null takes the recipe's.
        members: how many are fitted.
        cross_fit: member k never sees fold k of the training groups, and each training image's
            targets come from the member that never saw it (Dao et al., ICLR 2021).
    """

    model: ModelSpec
    weights: str | None = "published"
    predistil: PredistilBlock | None = None
    fit: TrainSettings | None
    probe: ProbeBlock | None = None
    views: ViewPolicy | None = None
    members: int = 1
    cross_fit: bool = False

    @property
    def fitted(self) -> bool:
        """Whether it learns from the labels here, whole or as a probe."""
        return self.fit is not None or self.probe is not None


@dataclass(frozen=True, kw_only=True)
class TargetsBlock:
    """How the student hears the teacher.

    Attributes:
        mode: ``cached`` stores the teacher's word for every view once; ``live`` asks it each step.
        precision: in which the teacher computes: ``float32``, ``bfloat16``, or ``auto``, which is
            bfloat16 where its device has it.
    """

    mode: Literal["cached", "live"] = "cached"
    precision: Literal["auto", "float32", "bfloat16"] = "float32"


@dataclass(frozen=True, kw_only=True)
class StudentPredistilBlock:
    """Label-free distillation of the student from its teacher, before it learns from labels.

    It sees *fit* and unlabelled images; the control takes as many steps more.

    Attributes:
        method: a label-free method.
        train: how long and how fast.
    """

    method: Method
    train: TrainSettings


@dataclass(frozen=True, kw_only=True)
class ControlBlock:
    """What the control may choose for itself; null takes the student's value.

    Attributes:
        lr: its own peak learning rate.
        weight_decay: its own weight decay.
    """

    lr: float | None = None
    weight_decay: float | None = None


@dataclass(frozen=True, kw_only=True)
class DecideBlock:
    """What is decided on *calibrate*, beside the temperature, and shipped with the student.

    Attributes:
        rule: of the operating point: ``sensitivity`` or ``specificity`` (keep what is wished),
            ``youden``, ``cost``; null says the most probable class (multi-label: from 0.5 up).
        wished: sensitivity or specificity, or how many false alarms a miss costs; null for Youden.
        positive: class that the report's operating points and the rule are about; null for the
            second of two, and for no operating points of more.
        coverage: of prediction sets.
        false_alarms: share of known images that may be stopped as strange.
        strange: folders of images that are not of this kind, to see how many are caught.
    """

    rule: Literal["sensitivity", "specificity", "youden", "cost"] | None = None
    wished: float | None = None
    positive: str | None = None
    coverage: float = 0.9
    false_alarms: float = 0.05
    strange: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ExportBlock:
    """How the student is exported.

    Attributes:
        opset: ONNX operator set.
        bound: largest difference of probabilities between graph and student that is let through.
        variants: try fp16, INT8 and, where it is installed, OpenVINO; the gate lets through what
            stays right and becomes faster on this machine.
        agreement: smallest share of *calibrate* images on which a variant says the student's class.
        sensitivity_loss: largest loss of any class's sensitivity or specificity that a variant may
            have on *calibrate*.
        metric_loss: largest loss there of AUROC (of labels its mean, of masks Dice); where that is
            not defined it bounds nothing, and the export says so.
        modalities: DICOM modalities of the images, where their files do not say: [CT]. Predictions
            of others are flagged.
        body_parts: likewise, for example [CHEST].
    """

    opset: int = 18
    bound: float = 1e-4
    variants: bool = True
    agreement: float = 0.99
    sensitivity_loss: float = 0.02
    metric_loss: float = 0.01
    modalities: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Every value of a run.

    Attributes:
        name: of the recipe.
        data: where the images are and how they are cut into parts.
        views: how images are augmented, for teacher and student alike.
        teacher: the large model.
        targets: how the student hears the teacher.
        student: the small model.
        student_weights: from which student and control start: ``published``, a weights file, or
            null for random ones.
        predistil: a stage without labels before the student learns from them, or null.
        method: how the student learns from labels and teacher; the keys beside ``name`` are
            the method's.
        guide: a map of the teacher beside any method of scores, or null.
        train: how long and how fast student and control are trained.
        control: what the control may choose for itself.
        seeds: how many times student and control are trained.
        decide: what is decided on *calibrate* and shipped.
        export: how the student is exported.
    """

    name: str
    data: DataBlock = field(default_factory=DataBlock)
    views: ViewPolicy = field(default_factory=ViewPolicy)
    teacher: TeacherBlock
    targets: TargetsBlock = field(default_factory=TargetsBlock)
    student: ModelSpec
    student_weights: str | None = None
    predistil: StudentPredistilBlock | None = None
    method: Method
    guide: Guide | None = None
    train: TrainSettings
    control: ControlBlock = field(default_factory=ControlBlock)
    seeds: int = 1
    decide: DecideBlock = field(default_factory=DecideBlock)
    export: ExportBlock = field(default_factory=ExportBlock)

    @property
    def lesson(self) -> Method:
        """How the student learns from labels and teacher: the method, with its guide if any."""
        return self.method if self.guide is None else Guided(method=self.method, guide=self.guide)

    @property
    def asked(self) -> frozenset[str]:
        """What the teacher says of the student's views, for the stage without labels as well."""
        before = frozenset() if self.predistil is None else self.predistil.method.needs
        return self.lesson.needs | before

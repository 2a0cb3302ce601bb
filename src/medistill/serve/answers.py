"""What the service says, as typed documents; OpenAPI is made from them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from medistill.core.types import Task


class _Document(BaseModel):
    """Frozen, and without room for what is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Problem(_Document):
    """Why there is no answer."""

    detail: str = Field(description="One or two sentences: what is wrong and how to mend it.")


class State(_Document):
    """Whether the service lives or takes work."""

    status: Literal["ok", "ready", "stopping", "failed"]


class Result(_Document):
    """What the bundle says of one file."""

    file: str = Field(description="Name of the file, as it was sent.")
    label: str | None = Field(description="Class at the operating point; several joined by '; '.")
    probabilities: dict[str, float] | None = Field(description="Calibrated, by class, in [0, 1].")
    conformal: list[str] | None = Field(
        description="Classes that cannot be excluded at the bundle's coverage; null if not fitted."
    )
    trusted: bool | None = Field(
        description="False where the image is unlike those the bundle was checked on, or of a "
        "modality or body part it was not trained on; null if nothing tells."
    )
    reasons: list[str] = Field(description="Why not to trust the answer.")
    problem: str | None = Field(description="Why there is no answer; null with one.")


class Results(_Document):
    """What the bundle says of the files of one request, in their order."""

    bundle: str = Field(description="SHA-256 that names the bundle.")
    graph: str = Field(description="Name of the graph that predicted.")
    results: list[Result]


class Explained(_Document):
    """Where the student looked."""

    result: Result
    kind: Literal["attention-rollout", "class-activation"]
    target: str | None = Field(description="Class that the map is about; null where it has none.")
    rows: int
    columns: int
    values: list[list[float]] = Field(description="Row by row, in [0, 1].")
    box: tuple[float, float, float, float] = Field(
        description="Left, top, right, bottom of the map, as shares of the picture's sides."
    )


class Model(_Document):
    """What is served."""

    name: str
    task: Task
    classes: list[str]
    bundle: str = Field(description="SHA-256 that names the bundle.")
    graph: str
    graphs: list[str]
    calibrated: bool = Field(description="Whether a temperature was fitted.")
    thresholds: dict[str, float]
    explains: bool = Field(description="Whether /v1/explain has an answer.")
    masks: bool = Field(description="Whether /v1/mask has an answer.")
    modalities: list[str] = Field(description="DICOM modalities it was trained on, if known.")
    body_parts: list[str] = Field(description="Body parts it was trained on, if known.")
    caveats: list[str]
    findings: list[str]
    notice: str
    limits: dict[str, float]

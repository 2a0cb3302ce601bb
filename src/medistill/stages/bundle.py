"""Export stage: the student's graph, checked on real images, as a bundle."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from medistill.bundle.bundle import open_bundle
from medistill.core.errors import BundleError
from medistill.core.files import read_json, sha256_json
from medistill.data.loader import plain_batches
from medistill.export.bundle_writer import BundleText, provenance_now, publish_bundle
from medistill.models.network import Network
from medistill.models.weights import state_hash
from medistill.recipe import dump_recipe
from medistill.stages.acquisition import acquisition_of
from medistill.stages.context import Context
from medistill.stages.data import Prepared
from medistill.stages.decisions import fit_model, network_asker
from medistill.stages.evaluation import EVALUATION, is_evaluated
from medistill.stages.findings import findings_of
from medistill.stages.finished import again
from medistill.stages.gate import judged_rows, make_gate
from medistill.stages.gate_record import GATE, PAGE, is_judged, record_gate, show_variants
from medistill.stages.judging import METRICS
from medistill.stages.student import open_student, shipped_outputs

BUNDLE = "bundle"
# Enough to find a graph that differs; memory must not grow with the set.
_IMAGES = 256
#: What is said in place of findings.
NOT_EVALUATED = "There is no current evaluation of this student."


def write_student_bundle(context: Context, prepared: Prepared) -> None:
    """Publish the student of the first fold and seed, unless that bundle is there already.

    Which fold is shipped is fixed beforehand: choosing the fold that scores best on *evaluate*
    would be a choice on the reported part.
    """
    fold = context.folds()[0]
    network = open_student(context, prepared, fold, 0, "student")
    folder = context.run.stage(BUNDLE)
    evaluated = is_evaluated(context, prepared)
    findings = _findings(context) if evaluated else (NOT_EVALUATED,)
    text = _text(context, prepared, network, fold, findings)
    if not evaluated:
        cure = f"{again(context.run.path)} makes one, and the bundle again."
        context.reporter.say(f"{NOT_EVALUATED} {cure}")
    judged = is_judged(context, judged_rows(prepared, fold), state_hash(network))
    if not (judged and _is_published(folder, text)):
        _publish(context, prepared, network, text)
    context.reporter.say(f"Bundle: {folder} and {_archive(folder)}")
    # A report that is not current is about another student.
    if evaluated:
        show_variants(context)


def _publish(context: Context, prepared: Prepared, network: Network, text: BundleText) -> None:
    fold, folder = context.folds()[0], context.run.stage(BUNDLE)
    # Fitted on what is shipped, and only now, because it asks about every training image.
    fitted = fit_model(context, prepared, fold, network_asker(network, prepared))
    text = dataclasses.replace(
        text,
        calibration=fitted.calibration,
        thresholds=fitted.thresholds,
        decisions=fitted.decisions,
    )
    published = publish_bundle(
        network,
        folder,
        text,
        images=_calibration_images(prepared, network, fold),
        bound=context.recipe.export.bound,
        opset=context.recipe.export.opset,
        outputs=shipped_outputs(network),
        gate=make_gate(context, prepared, network, fold),
    )
    if published.tried:
        rows = judged_rows(prepared, fold)
        record_gate(context, prepared, rows, published.tried, state_hash(network))
        context.reporter.say(f"Variants: {context.run.stage(GATE) / PAGE}")
    context.reporter.say(f"Export: {published.parity}")


def _archive(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.zip")


def _is_published(folder: Path, text: BundleText) -> bool:
    """Whether bundle and zip are there, undamaged and the same, and say what would be said now."""
    try:
        bundle, zipped = open_bundle(folder), open_bundle(_archive(folder))
    except BundleError:
        return False
    said, now = bundle.manifest, text.provenance
    made_from = (said.provenance.student, said.provenance.recipe)
    same_words = (said.findings, said.caveats) == (text.findings, text.caveats)
    return (
        made_from == (now.student, now.recipe) and same_words and zipped.identity == bundle.identity
    )


def _calibration_images(prepared: Prepared, network: Network, fold: int) -> Any:
    batches = plain_batches(
        prepared.store,
        torch.from_numpy(prepared.labels),
        prepared.parts[fold].calibrate[:_IMAGES],
        size=network.preprocessing.size,
        batch_size=64,
        fit=network.preprocessing.fit,
    )
    return torch.cat([batch.images for batch in batches]).numpy()


def _text(
    context: Context, prepared: Prepared, network: Network, fold: int, findings: tuple[str, ...]
) -> BundleText:
    images, recipe = prepared.images, context.recipe
    return BundleText(
        name=recipe.name,
        task=images.task,
        classes=images.classes,
        stored_size=recipe.data.stored_size,
        caveats=images.caveats,
        acquisition=acquisition_of(context, prepared, fold),
        findings=findings,
        provenance=provenance_now(
            recipe=sha256_json(dump_recipe(recipe)),
            data=prepared.store.data_hash,
            teacher=context.run.outputs(f"{context.scope(fold)}teacher")["weights_hash"],
            student=state_hash(network),
        ),
    )


def _findings(context: Context) -> tuple[str, ...]:
    """Sentences of the evaluation."""
    return findings_of(read_json(context.run.stage(EVALUATION) / METRICS))

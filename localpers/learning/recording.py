"""A finished run as a RunRecord."""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
import platform
from collections.abc import Sequence

from localpers import __version__
from localpers.datatypes import ServedModel
from localpers.evaluation.bootstrap import Interval
from localpers.evaluation.verdict import Measured, Setting, Verdict
from localpers.learning.conversion import Converted, Job
from localpers.runs import RunFolder
from localpers.runs.records import (
    RecordedBase,
    RunFigures,
    RunFile,
    RunInterval,
    RunMetrics,
    RunRecord,
    RunServed,
    RunSetting,
    RunVerdict,
)
from localpers.weights.digest import compute_sha256


def make_record(
    job: Job,
    converted: Converted,
    verdict: Verdict | None,
    served: ServedModel | None,
    examples: int,
) -> RunRecord:
    """The record of a finished run; `verdict` and `served` are None after failed parity."""
    plan, base, training, folder = job.folder.plan(), job.base, converted.training, job.folder
    return RunRecord(
        run=folder.id,
        created=plan.created,
        base=base.name,
        base_model=RecordedBase(
            name=base.name,
            sha256=base.sha256,
            architecture=base.architecture,
            quantization=base.quantization,
        ),
        method=job.recipe.method,
        recipe=plan.recipe,
        seed=job.recipe.seed,
        device=job.device.name,
        versions=_versions(),
        data=plan.data,
        warm_start=plan.warm_start,
        examples=examples,
        tokens=training.tokens,
        steps=training.steps,
        steps_planned=training.planned,
        seconds=training.seconds,
        seconds_total=round(job.spent, 1),
        losses=tuple(round(loss, 5) for loss in training.losses),
        quantization=converted.quantization,
        parity=converted.parity,
        parity_reference=converted.reference,
        metrics=_metrics(verdict) if verdict else None,
        verdict=_verdict(verdict) if verdict else None,
        promoted=verdict is not None and verdict.promoted,
        reason=verdict.reason if verdict else "the converted model differs from torch",
        served=_served(served) if served else None,
        files=_files(folder),
    )


def _metrics(verdict: Verdict) -> RunMetrics:
    return RunMetrics(base=_figures(verdict.base), tuned=_figures(verdict.tuned))


def _figures(found: Measured) -> RunFigures:
    return RunFigures(
        nll=round(found.nll, 5),
        perplexity=round(math.exp(found.nll), 4),
        tokens=found.tokens,
        documents=len(found.documents),
        rouge_1=round(found.rouge_1, 5),
        authorship=round(found.accepted, 4),
        questions=len(found.answers),
        right=round(found.right, 4),
        cited=round(found.cited, 4),
        neutral_perplexity=round(found.neutral.perplexity, 4),
    )


def _verdict(verdict: Verdict) -> RunVerdict:
    return RunVerdict(
        setting=_setting(verdict.setting),
        tried=tuple(_setting(one.setting, one.nll) for one in verdict.tried),
        gain=_interval(verdict.gain),
        rouge_1=_interval(verdict.overlap),
        authorship=_interval(verdict.authorship),
        answer_gain=_interval(verdict.answer_gain),
        right=_interval(verdict.right),
        neutral_rise=round(verdict.rise, 5),
    )


def _setting(setting: Setting, nll: float = math.inf) -> RunSetting:
    known = round(nll, 5) if math.isfinite(nll) else None
    return RunSetting(file=setting.file, scale=setting.scale, k=setting.k, nll=known)


def _interval(found: Interval) -> RunInterval:
    return RunInterval(
        value=round(found.value, 5), low=round(found.low, 5), high=round(found.high, 5)
    )


def _served(served: ServedModel) -> RunServed:
    return RunServed(
        model=None if served.adapter else served.model.name,
        adapter=served.adapter.name if served.adapter else None,
        scale=served.adapter_scale,
        passages=served.passages,
        activated=served.base_reads_prompt,
    )


def _files(folder: RunFolder) -> dict[str, RunFile]:
    made = [file for file in folder.path.rglob("*") if file.is_file()]
    temporary = {folder.plan_file, folder.merged, folder.record_file}
    inside = (folder.checkpoint, folder.reference)
    return {
        str(file.relative_to(folder.path)): RunFile(
            bytes=file.stat().st_size, sha256=compute_sha256(file)
        )
        for file in sorted(made)
        if file not in temporary and not any(file.is_relative_to(parent) for parent in inside)
    }


def fingerprint(hashes: Sequence[str]) -> str:
    """One SHA-256 over the content hashes of what was learned."""
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _versions() -> dict[str, str]:
    packages = ("torch", "transformers", "peft", "llama-cpp-python", "gguf")
    found = {package: importlib.metadata.version(package) for package in packages}
    return {"localpers": __version__, "python": platform.python_version(), **found}

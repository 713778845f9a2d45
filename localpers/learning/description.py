"""`run.json`: what a run was made of, what came out, and what was measured."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import math
import platform
from collections.abc import Sequence
from typing import Any

from localpers import __version__
from localpers.datatypes import ModelInfo, ServedModel
from localpers.evaluation.verdict import Measured, Verdict
from localpers.learning.conversion import Converted
from localpers.runs import RunFolder
from localpers.weights.digest import compute_sha256
from localpers.weights.parity import Parity


def describe(
    folder: RunFolder,
    plan: dict[str, Any],
    base: ModelInfo,
    device: str,
    converted: Converted,
    verdict: Verdict | None,
    served: ServedModel | None,
) -> dict[str, Any]:
    """The description of a finished run; `verdict` and `served` are None after failed parity."""
    training = converted.training
    return {
        "run": folder.id,
        "created": plan["created"],
        "base": base.name,
        "base_model": {
            **plan["base"],
            "architecture": base.architecture,
            "quantization": base.quantization,
        },
        "method": plan["recipe"]["method"],
        "recipe": plan["recipe"],
        "seed": plan["recipe"]["seed"],
        "device": device,
        "versions": _versions(),
        "data": plan["data"],
        "warm_start": plan.get("warm_start"),
        "tokens": training.tokens,
        "steps": training.steps,
        "steps_planned": training.planned,
        "seconds": training.seconds,
        "losses": [round(loss, 5) for loss in training.losses],
        "quantization": dataclasses.asdict(converted.quantization),
        "parity": {name: dataclasses.asdict(found) for name, found in converted.parity.items()},
        "parity_reference": converted.reference,
        "metrics": _metrics(verdict),
        "verdict": _verdict(verdict),
        "promoted": verdict is not None and verdict.promoted,
        "reason": verdict.reason if verdict else "the converted model differs from torch",
        "served": _served(served),
        "files": _files(folder),
    }


def _metrics(verdict: Verdict | None) -> dict[str, Any]:
    """By condition: `rag` is the base and `rag+peft` what is served, on the documents reported."""
    if verdict is None:
        return {}
    return {"rag": _figures(verdict.base), "rag+peft": _figures(verdict.tuned)}


def _figures(found: Measured) -> dict[str, Any]:
    return {
        "nll": round(found.nll, 5),
        "perplexity": round(math.exp(found.nll), 4),
        "tokens": found.tokens,
        "documents": len(found.documents),
        "rouge_1": round(found.rouge_1, 5),
        "questions": len(found.answers),
        "right": round(found.right, 4),
        "cited": round(found.cited, 4),
        "neutral_perplexity": round(found.neutral.perplexity, 4),
    }


def _verdict(verdict: Verdict | None) -> dict[str, Any] | None:
    """What was chosen from what, and the intervals that decided."""
    if verdict is None:
        return None
    intervals = {
        "gain": verdict.gain,
        "rouge_1": verdict.overlap,
        "answer_gain": verdict.answer_gain,
        "right": verdict.right,
    }
    return {
        "setting": dataclasses.asdict(verdict.setting),
        "tried": [
            dataclasses.asdict(one.setting)
            | {"nll": round(one.nll, 5) if math.isfinite(one.nll) else None}
            for one in verdict.tried
        ],
        **{
            name: {key: round(value, 5) for key, value in dataclasses.asdict(interval).items()}
            for name, interval in intervals.items()
        },
        "neutral_rise": round(verdict.rise, 5),
    }


def _served(served: ServedModel | None) -> dict[str, Any] | None:
    if served is None:
        return None
    return {
        "model": None if served.adapter else served.model.name,
        "adapter": served.adapter.name if served.adapter else None,
        "scale": served.adapter_scale,
        "passages": served.passages,
        "activated": served.activated,
    }


def parity_message(folder: RunFolder, found: Parity, limit: float) -> str:
    """What differs between the merged F16 file and torch, and what became of the run."""
    what = (
        "its tokenizer makes other tokens"
        if found.tokens_equal is False
        else f"mean KL {found.mean_kl:.2g} nats where {limit:.0e} is allowed, the same top token "
        f"in {found.top1_agreement:.1%}"
    )
    return (
        f"The merged model does not compute what was trained ({what}). The adapter is kept as "
        f"run {folder.id} and nothing is promoted: tune another base, and report this one."
    )


def _files(folder: RunFolder) -> dict[str, dict[str, Any]]:
    made = [file for file in folder.path.rglob("*") if file.is_file()]
    temporary = {folder.plan, folder.merged, folder.description}
    inside = (folder.checkpoint, folder.reference)
    return {
        str(file.relative_to(folder.path)): {
            "bytes": file.stat().st_size,
            "sha256": compute_sha256(file),
        }
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

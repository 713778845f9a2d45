"""`run.json`: what a run was made of, what came out, and what was measured."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import platform
from collections.abc import Sequence
from typing import Any

from localpers import __version__
from localpers.datatypes import BaseModel, ServedModel
from localpers.evaluation.verdict import Verdict
from localpers.learning.conversion import Converted
from localpers.runs import RunFolder
from localpers.weights.digest import compute_sha256
from localpers.weights.parity import Parity


def describe(
    folder: RunFolder,
    plan: dict[str, Any],
    base: BaseModel,
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
        "tokens": training.tokens,
        "steps": training.steps,
        "steps_planned": training.planned,
        "seconds": training.seconds,
        "losses": [round(loss, 5) for loss in training.losses],
        "quantization": dataclasses.asdict(converted.quantization),
        "parity": {name: dataclasses.asdict(found) for name, found in converted.parity.items()},
        "parity_reference": converted.reference,
        "metrics": _metrics(verdict),
        "promoted": verdict is not None and verdict.winner is not None,
        "reason": verdict.reason if verdict else "the converted model differs from torch",
        "served": _served(served),
        "files": _files(folder),
    }


def _metrics(verdict: Verdict | None) -> dict[str, Any]:
    """By condition: `rag` is the base and `rag+peft` the tuned file, both with retrieval."""
    if verdict is None:
        return {}
    named = {"rag": "base", "rag+peft": verdict.best}
    chosen = {name: verdict.metrics[key] for name, key in named.items()}
    files = {f"rag+peft:{key}": found for key, found in verdict.metrics.items() if key != "base"}
    return {
        name: {
            "nll": round(found.nll, 5),
            "perplexity": round(found.perplexity, 4),
            "tokens": found.tokens,
            "examples": len(found.by_example),
        }
        for name, found in (chosen | files).items()
    }


def _served(served: ServedModel | None) -> dict[str, Any] | None:
    if served is None:
        return None
    return {
        "model": None if served.adapter else served.model.name,
        "adapter": served.adapter.name if served.adapter else None,
        "scale": served.adapter_scale,
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
        f"The merged model does not compute what was trained ({what}). The adapter is kept in "
        f"{folder.path} and nothing is promoted: tune another base, and report this one."
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

"""From examples to checked files: train in torch, convert to GGUF, compare the two.

The torch model lives only inside `convert`, so that its memory is free before models are judged.
"""

from __future__ import annotations

import copy
import gc
import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from localpers.datatypes import ModelInfo, Reporter, TokenizedExample
from localpers.errors import ParityFailed
from localpers.learning.budget import Budget
from localpers.runs import RunFolder
from localpers.runs.records import Parity, QuantizationReport, RunParity
from localpers.tuning.device import Device
from localpers.tuning.methods import METHODS, Method, adapt
from localpers.tuning.outcome import (
    begin_with,
    save_peft_adapter,
    save_reference,
    with_peft_adapter,
)
from localpers.tuning.recipe import Recipe
from localpers.tuning.schedule import Costs, steps_in_seconds
from localpers.tuning.torch_base import LoadedBase, load_base
from localpers.tuning.training import Trainer, TrainingProgress, TrainingResult
from localpers.weights.adapter import LoraAdapter, write_adapter_gguf
from localpers.weights.merge import merge
from localpers.weights.parity import ReferenceLogits, parity
from localpers.weights.quantize import quantize
from localpers.weights.tokenizer import Tokenizer

LARGEST_KL = 1e-3
"""Nats per token between the merged F16 file and torch; beyond it the conversion is wrong."""
LARGEST_KL_COARSE = 2e-2
"""Likewise where torch computed in bfloat16, or llama.cpp with the base's quantized weights."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the steps of one run share. `budget` is in seconds for the whole run, counted from
    `started` (time.monotonic()); training begins with the adapter of `warm_start`.
    """

    folder: RunFolder
    base: ModelInfo
    recipe: Recipe
    device: Device
    tokenizer: Tokenizer
    reporter: Reporter
    budget: float
    started: float
    warm_start: RunFolder | None = None

    @property
    def method(self) -> Method:
        return METHODS[self.recipe.method]

    @property
    def spent(self) -> float:
        return time.monotonic() - self.started


@dataclass(frozen=True, slots=True)
class Converted:
    """`quantization` is None for a method that is not merged; `reference` is torch's precision in
    `parity`.
    """

    training: TrainingResult
    quantization: QuantizationReport | None
    parity: RunParity
    reference: str

    def mismatch(self) -> str | None:
        """How the converted model differs from the trained one, None where it does not."""
        merged = self.parity.merged_f16
        found = merged or self.parity.adapter
        exact = merged is not None and self.reference == "float32"
        limit = LARGEST_KL if exact else LARGEST_KL_COARSE
        return _mismatch(found, limit) if found else None


def convert(job: Job, examples: Sequence[TokenizedExample], held_out: Sequence[str]) -> Converted:
    """Train on `examples` (resuming from a checkpoint), write the files that the method declares,
    compare them with torch on the held-out texts.

    Raises what loading, training and converting raise; an interrupt leaves a checkpoint.
    """
    training, adapter, reference = _train(job, examples, held_out)
    gc.collect()
    quantization = _write_files(job, adapter)
    compared = _compare(job)
    job.folder.merged.unlink(missing_ok=True)
    shutil.rmtree(job.folder.reference)
    return Converted(training, quantization, compared, reference)


def _train(
    job: Job, examples: Sequence[TokenizedExample], held_out: Sequence[str]
) -> tuple[TrainingResult, LoraAdapter, str]:
    reporter, recipe, device, folder = job.reporter, job.recipe, job.device, job.folder
    reporter.stage("Loading the base into torch")
    precise, base = _bases(job)
    model = adapt(base, recipe)
    if job.warm_start is not None:
        begin_with(model, job.warm_start.peft_adapter)
    trainer = Trainer(
        model, examples, recipe, device, folder.checkpoint, folder.plan().checkpointing
    )
    reporter.stage(f"Measuring the speed of {device.name} ({device.description})")
    total, seconds = _planned_steps(job, examples, trainer.costs(trainer.calibrate()))
    reporter.stage(f"Training {total} steps")

    def show(progress: TrainingProgress) -> None:
        detail = f"loss {progress.loss:.3f} · {progress.tokens_per_second:.0f} tokens/s"
        reporter.progress(progress.step, progress.total, detail, progress.seconds_left)

    result = trainer.train(total, planned_seconds=seconds, on_progress=show)
    reporter.stage("Saving the adapter and the reference for parity")
    save_peft_adapter(model, folder.peft_adapter, job.base.name)
    adapter = job.method.export(model, base, job.base.sha256)
    precision = device.dtype
    if precise is not None:
        precision = "float32"
        model = with_peft_adapter(precise.model, folder.peft_adapter)
    save_reference(model.cpu(), held_out, job.tokenizer, folder.reference)
    return result, adapter, precision


def _planned_steps(
    job: Job, examples: Sequence[TokenizedExample], costs: Costs
) -> tuple[int, float]:
    """(optimizer steps, seconds for them); a resumed run keeps the steps it was planned with."""
    seconds = math.inf
    if math.isfinite(job.budget):
        per_token = sum(costs.first) / sum(example.length for example in examples)
        budget = Budget(job.budget, job.recipe, job.base.parameters, per_token)
        seconds = budget.training(job.spent)
    plan = job.folder.plan()
    if plan.steps is None:
        steps = steps_in_seconds(examples, job.recipe, seconds, costs)
        plan = plan.model_copy(update={"steps": steps})
        job.folder.save_plan(plan)
    return plan.steps or 1, seconds


def _bases(job: Job) -> tuple[LoadedBase | None, LoadedBase]:
    """(the base in float32 for the reference, the base to train).

    The first is None where the second is in float32 itself, or memory does not suffice for both.
    """
    import psutil

    path = job.folder.path
    if job.device.dtype == "float32":
        return None, load_base(job.base, "float32", path)
    needed = job.base.parameters * (4 + 2) * 1.2
    if psutil.virtual_memory().available < needed:
        return None, load_base(job.base, job.device.dtype, path)
    precise = load_base(job.base, "float32", path)
    narrow: Any = copy.deepcopy(precise.model).bfloat16()
    return precise, replace(precise, model=narrow)


def _write_files(job: Job, adapter: LoraAdapter) -> QuantizationReport | None:
    folder, reporter = job.folder, job.reporter
    if job.method.loadable:
        write_adapter_gguf(adapter, job.base.path, folder.adapter)
    if not job.method.mergeable:
        return None
    reporter.stage("Merging the adapter into the base")

    def show(done: int, total: int) -> None:
        reporter.progress(done >> 20, total >> 20, "MB", None)

    merge(job.base.path, adapter, folder.merged, progress=show)
    kind = job.recipe.quantization
    reporter.stage(f"Quantizing to {kind}")
    return quantize(folder.merged, folder.model(kind), kind)


def _compare(job: Job) -> RunParity:
    job.reporter.stage("Comparing the files with torch")
    folder, found = job.folder, {}
    reference = ReferenceLogits(folder.reference)
    if job.method.loadable:
        found["adapter"] = parity(reference, job.base.path, folder.adapter)
    if job.method.mergeable:
        found["merged_f16"] = parity(reference, folder.merged)
        found["quantized"] = parity(reference, folder.model(job.recipe.quantization))
    return RunParity(**found)


def _mismatch(found: Parity, limit: float) -> str | None:
    if found.tokens_equal is False:
        return "its tokenizer makes other tokens"
    if found.mean_kl <= limit:
        return None
    return (
        f"mean KL {found.mean_kl:.2g} nats where {limit:.0e} is allowed, the same top token in "
        f"{found.top1_agreement:.1%}"
    )


def parity_failed(job: Job, mismatch: str) -> ParityFailed:
    return ParityFailed(
        f"The converted model does not compute what was trained ({mismatch}). The adapter is kept "
        f"as run {job.folder.id} and nothing is promoted: tune another base, and report this one."
    )

"""From examples to checked files: train in torch, convert to GGUF, compare the two.

The torch model lives only inside `convert`, so that its memory is free before models are judged.
"""

from __future__ import annotations

import copy
import gc
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from localpers.datatypes import ModelInfo, Reporter, TokenizedExample
from localpers.runs import RunFolder
from localpers.runs.records import QuantizationReport, RunParity
from localpers.tuning.device import Device
from localpers.tuning.methods import adapt
from localpers.tuning.outcome import (
    begin_with,
    lora_adapter,
    save_peft_adapter,
    save_reference,
    with_peft_adapter,
)
from localpers.tuning.recipe import Recipe
from localpers.tuning.schedule import steps_in_seconds
from localpers.tuning.torch_base import LoadedBase, load_base
from localpers.tuning.training import Trainer, TrainingProgress, TrainingResult
from localpers.weights.adapter import LoraAdapter, write_adapter_gguf
from localpers.weights.merge import merge
from localpers.weights.parity import ReferenceLogits, parity
from localpers.weights.quantize import quantize
from localpers.weights.tokenizer import Tokenizer

PlanSteps = Callable[[float, Callable[[float], int]], tuple[int, float]]
"""(seconds per token, seconds → steps that fit into them) → (steps, seconds planned for them)."""


@dataclass(frozen=True, slots=True)
class Converted:
    """`parity` by file: merged_f16, adapter, quantized; `reference` is torch's precision in it."""

    training: TrainingResult
    quantization: QuantizationReport
    parity: RunParity
    reference: str


@dataclass(frozen=True, slots=True)
class Workbench:
    """What every step of a run needs at hand."""

    folder: RunFolder
    base: ModelInfo
    recipe: Recipe
    device: Device
    checkpointing: bool
    tokenizer: Tokenizer
    reporter: Reporter
    warm_start: RunFolder | None = None
    """The run whose adapter training begins with."""


def convert(
    bench: Workbench,
    examples: Sequence[TokenizedExample],
    held_out: Sequence[str],
    plan_steps: PlanSteps,
) -> Converted:
    """Train on `examples` (going on from a checkpoint), write adapter and models, compare them on
    the texts held out.

    Raises what loading, training and converting raise; an interrupt leaves a checkpoint.
    """
    training, adapter, reference = _train(bench, examples, held_out, plan_steps)
    gc.collect()
    quantization = _write_models(bench, adapter)
    compared = _compare(bench)
    bench.folder.merged.unlink()
    shutil.rmtree(bench.folder.reference)
    return Converted(training, quantization, compared, reference)


def _train(
    bench: Workbench,
    examples: Sequence[TokenizedExample],
    held_out: Sequence[str],
    plan_steps: PlanSteps,
) -> tuple[TrainingResult, LoraAdapter, str]:
    reporter, recipe = bench.reporter, bench.recipe
    reporter.stage("Loading the base into torch")
    precise, base = _bases(bench)
    model = adapt(base, recipe)
    if bench.warm_start is not None:
        begin_with(model, bench.warm_start.peft_adapter)
    device = bench.device
    trainer = Trainer(model, examples, recipe, device, bench.folder.checkpoint, bench.checkpointing)
    reporter.stage(f"Measuring the speed of {device.name} ({device.description})")
    costs = trainer.costs(trainer.calibrate())
    total, seconds = plan_steps(
        sum(costs.first) / sum(example.length for example in examples),
        lambda limit: steps_in_seconds(examples, recipe, limit, costs),
    )
    reporter.stage(f"Training {total} steps")

    def show(progress: TrainingProgress) -> None:
        detail = f"loss {progress.loss:.3f} · {progress.tokens_per_second:.0f} tokens/s"
        reporter.progress(progress.step, progress.total, detail, progress.seconds_left)

    result = trainer.train(total, planned_seconds=seconds, on_progress=show)
    reporter.stage("Saving the adapter and the reference for parity")
    save_peft_adapter(model, bench.folder.peft_adapter, bench.base.name)
    adapter = lora_adapter(model, base, bench.base.sha256)
    precision = device.dtype
    if precise is not None:
        precision = "float32"
        model = with_peft_adapter(precise.model, bench.folder.peft_adapter)
    save_reference(model.cpu(), held_out, bench.tokenizer, bench.folder.reference)
    return result, adapter, precision


def _bases(bench: Workbench) -> tuple[LoadedBase | None, LoadedBase]:
    """(the base in float32 for the reference, the base to train).

    The first is None where the second is in float32 itself, or memory does not suffice for both.
    """
    import psutil

    path = bench.folder.path
    if bench.device.dtype == "float32":
        return None, load_base(bench.base, "float32", path)
    needed = bench.base.parameters * (4 + 2) * 1.2
    if psutil.virtual_memory().available < needed:
        return None, load_base(bench.base, bench.device.dtype, path)
    precise = load_base(bench.base, "float32", path)
    narrow: Any = copy.deepcopy(precise.model).bfloat16()
    return precise, replace(precise, model=narrow)


def _write_models(bench: Workbench, adapter: LoraAdapter) -> QuantizationReport:
    folder, reporter = bench.folder, bench.reporter
    write_adapter_gguf(adapter, bench.base.path, folder.adapter)
    reporter.stage("Merging the adapter into the base")

    def show(done: int, total: int) -> None:
        reporter.progress(done >> 20, total >> 20, "MB", None)

    merge(bench.base.path, adapter, folder.merged, progress=show)
    kind = bench.recipe.quantization
    reporter.stage(f"Quantizing to {kind}")
    return quantize(folder.merged, folder.model(kind), kind)


def _compare(bench: Workbench) -> RunParity:
    bench.reporter.stage("Comparing the files with torch")
    folder = bench.folder
    reference = ReferenceLogits(folder.reference)
    return RunParity(
        merged_f16=parity(reference, folder.merged),
        adapter=parity(reference, bench.base.path, folder.adapter),
        quantized=parity(reference, folder.model(bench.recipe.quantization)),
    )

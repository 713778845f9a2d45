"""Adapters from ready examples, one after another, on one base that is loaded into torch once.

Where `tune` makes a run of a profile, this makes a file: no verdict, no checkpoint, no record.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localpers.datatypes import ModelInfo, ServedModel, TokenizedExample
from localpers.errors import LocalpersError
from localpers.profile import make_private
from localpers.tuning.device import choose_device
from localpers.tuning.methods import METHODS, adapted
from localpers.tuning.prompt_store import PromptStore
from localpers.tuning.recipe import Recipe
from localpers.tuning.schedule import Costs, Speed, steps_in_seconds
from localpers.tuning.torch_base import load_base, needs_checkpointing
from localpers.tuning.training import Trainer
from localpers.weights.adapter import write_adapter_gguf

FEWEST_EXAMPLES = 4
STEPS_PER_PASS = 4
"""At least, also over a few short texts."""
FEWEST_STEPS = 8
MOST_PASSES = 3.0
"""To which passes are raised for FEWEST_STEPS: more would memorize a small set."""
EXAMPLES_SHARE = 0.25
"""Of the budget, that taking the examples from their iterator may use."""
RECENT = 8
"""Steps at the end over which the loss is averaged."""


@dataclass(frozen=True, slots=True)
class TrainedAdapter:
    """An adapter's GGUF file and how it came about; `loss` in nats per token over the last steps,
    `tokens` of completions, `seconds` from taking the examples to the file.
    """

    path: Path
    examples: int
    steps: int
    tokens: int
    seconds: float
    loss: float


class AdapterTrainer:
    """Trains one adapter at a time; its own files lie in `workspace`."""

    def __init__(self, base: ModelInfo, recipe: Recipe, device: str, workspace: Path) -> None:
        """Raises MissingExtra without torch, UnsupportedModel, OutOfMemory, and LocalpersError for
        a method whose adapters llama.cpp cannot load.
        """
        self._method = METHODS[recipe.method]
        if not self._method.loadable:
            raise LocalpersError(
                f"Adapters of method '{recipe.method}' work merged only: choose another method."
            )
        self._info, self._recipe = base, recipe
        self._workspace = make_private(workspace)
        self._device = choose_device(device)
        self._checkpointing = needs_checkpointing(base, self._device)
        self._base = load_base(base, self._device.dtype, workspace)
        self._prompts = PromptStore(workspace)
        self._speed: Speed | None = None
        """The best seen: a busy machine makes it look worse, nothing makes it look better, and
        training ends in time even where it was too hopeful.
        """

    def train(
        self, examples: Iterable[TokenizedExample], seconds: float, path: Path
    ) -> TrainedAdapter | None:
        """An adapter at `path`, in about `seconds`; examples are taken while a share of them lasts.

        None for fewer than FEWEST_EXAMPLES. Raises TrainingDiverged.
        """
        began = time.monotonic()
        taken = _take(examples, began + EXAMPLES_SHARE * seconds)
        if len(taken) < FEWEST_EXAMPLES:
            return None
        with adapted(self._base, self._recipe) as model:
            try:
                taken, costs = self._affordable(model, taken, began + seconds - time.monotonic())
                recipe = fitted(self._recipe, taken)
                left = max(1.0, began + seconds - time.monotonic())
                total = steps_in_seconds(taken, recipe, left, costs)
                result = self._trainer(model, taken, recipe).train(total, planned_seconds=left)
                adapter = self._method.export(model, self._base, self._info.sha256)
            finally:
                self._clear()
        write_adapter_gguf(adapter, self._info.path, path)
        recent = result.losses[-RECENT:]
        return TrainedAdapter(
            path=path,
            examples=len(taken),
            steps=result.steps,
            tokens=result.tokens,
            seconds=round(time.monotonic() - began, 2),
            loss=round(sum(recent) / len(recent), 4),
        )

    def served(self, adapter: Path | None, scale: float = 1.0) -> ServedModel:
        """The base with an adapter of this trainer, or bare."""
        reads = adapter is not None and self._method.base_reads_prompt
        return ServedModel(self._info, self._info.path, adapter, scale, base_reads_prompt=reads)

    def forget(self) -> None:
        """Free the prompts read so far: other examples have others."""
        self._prompts.forget()

    def _trainer(self, model: Any, examples: Sequence[TokenizedExample], recipe: Recipe) -> Trainer:
        self._clear()
        folder = self._workspace / "checkpoint"
        return Trainer(
            model, examples, recipe, self._device, folder, self._checkpointing, self._prompts
        )

    def _clear(self) -> None:
        shutil.rmtree(self._workspace / "checkpoint", ignore_errors=True)

    def _affordable(
        self, model: Any, examples: list[TokenizedExample], seconds: float
    ) -> tuple[list[TokenizedExample], Costs]:
        """As many of the examples as `seconds` allow to be learned in whole passes, and their
        costs: half a pass, at a rate that never comes down, helps little.
        """
        recipe = fitted(self._recipe, examples)
        missing = self._prompts.missing_share(examples)
        trainer = self._trainer(model, examples, recipe)
        self._speed = _better(self._speed, trainer.calibrate())
        costs = trainer.costs(self._speed, missing)
        taken, left = 0, seconds
        for first, again in zip(costs.first, costs.again, strict=True):
            left -= first + (recipe.epochs - 1) * again
            if left < 0 and taken >= FEWEST_EXAMPLES:
                break
            taken += 1
        return examples[:taken], Costs(costs.first[:taken], costs.again[:taken])


def fitted(recipe: Recipe, examples: Sequence[TokenizedExample]) -> Recipe:
    """The recipe with steps small and passes many enough for a small set."""
    lengths = [example.length for example in examples]
    share = max(max(lengths), sum(lengths) // STEPS_PER_PASS)
    batch = min(recipe.batch_tokens, share)
    steps_per_pass = max(1.0, sum(lengths) / batch)
    passes = max(recipe.epochs, min(MOST_PASSES, FEWEST_STEPS / steps_per_pass))
    return recipe.model_copy(update={"batch_tokens": batch, "epochs": passes})


def _take(examples: Iterable[TokenizedExample], deadline: float) -> list[TokenizedExample]:
    taken: list[TokenizedExample] = []
    for example in examples:
        taken.append(example)
        if time.monotonic() > deadline and len(taken) >= FEWEST_EXAMPLES:
            break
    return taken


def _better(known: Speed | None, found: Speed) -> Speed:
    if known is None:
        return found
    return Speed(min(known.learned, found.learned), min(known.read, found.read))

"""Adapters, one after another, on one base that is loaded into torch once."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
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
from localpers.tuning.torch_base import load_base, memory_needed, needs_checkpointing
from localpers.tuning.training import Trainer
from localpers.weights.adapter import write_adapter_gguf

FEWEST_EXAMPLES = 4
STEPS_PER_PASS = 4
"""At least, also over a profile of a few short texts."""
FEWEST_STEPS = 8
MOST_PASSES = 3.0
"""To which passes are raised for FEWEST_STEPS: more would memorize a small profile."""
PATIENCE = 0.25
"""Of the budget, that making examples may take."""


@dataclass(frozen=True, slots=True)
class TrainedAdapter:
    """How an adapter came about; `loss` in nats per token over the last steps."""

    examples: int
    steps: int
    tokens: int
    seconds: float
    loss: float


class AdapterTrainer:
    """Trains one adapter at a time; its own files lie in `workspace`."""

    def __init__(
        self, base: ModelInfo, recipe: Recipe, workspace: Path, device: str = "auto"
    ) -> None:
        """Raises MissingExtra without torch, UnsupportedModel, OutOfMemory, and LocalpersError for
        a method whose adapters llama.cpp cannot load.
        """
        if not METHODS[recipe.method].loadable:
            raise LocalpersError(
                f"Adapters of method '{recipe.method}' work merged only: choose another method."
            )
        self._info = base
        self._recipe = recipe
        self._workspace = make_private(workspace)
        self._device = choose_device(device)
        self._checkpointing = needs_checkpointing(base, self._device)
        self._base = load_base(base, self._device.dtype, workspace)
        self._checkpoint = self._workspace / "checkpoint"
        self._read = PromptStore(workspace)
        self._speed: Speed | None = None
        """The best seen: a busy machine makes it look worse, nothing makes it look better, and
        training ends in time even where it was too hopeful.
        """

    def train(
        self, examples: Iterable[TokenizedExample], seconds: float, path: Path
    ) -> TrainedAdapter | None:
        """Write an adapter (GGUF) to `path` in about `seconds`, making the examples included.

        None where there are too few to learn from. Raises TrainingDiverged.
        """
        began = time.monotonic()
        some = list(_in_time(examples, began + PATIENCE * seconds))
        if len(some) < FEWEST_EXAMPLES:
            return None
        with adapted(self._base, self._recipe) as model:
            some, costs = self._affordable(model, some, seconds - _since(began))
            recipe = _fitted(self._recipe, some)
            left = max(1.0, seconds - _since(began))
            total = steps_in_seconds(some, recipe, left, costs)
            result = self._trainer(model, some, recipe).train(total, planned_seconds=left)
            adapter = METHODS[recipe.method].export(model, self._base, self._info.sha256)
        shutil.rmtree(self._checkpoint, ignore_errors=True)
        write_adapter_gguf(adapter, self._info.path, path)
        recent = result.losses[-8:]
        return TrainedAdapter(
            examples=len(some),
            steps=result.steps,
            tokens=result.tokens,
            seconds=round(_since(began), 2),
            loss=round(sum(recent) / len(recent), 4),
        )

    def forget(self) -> None:
        """Drop the prompts read so far: another person has others."""
        self._read.forget()

    def _trainer(self, model: Any, examples: Sequence[TokenizedExample], recipe: Recipe) -> Trainer:
        shutil.rmtree(self._checkpoint, ignore_errors=True)
        return Trainer(
            model,
            examples,
            recipe,
            self._device,
            self._checkpoint,
            self._checkpointing,
            self._read,
        )

    def _affordable(
        self, model: Any, examples: list[TokenizedExample], seconds: float
    ) -> tuple[list[TokenizedExample], Costs]:
        """As many of the examples as `seconds` allow to be learned in whole passes, and what they
        cost: what is seen in half a pass, at a rate that never comes down, helps little.
        """
        recipe = _fitted(self._recipe, examples)
        missing = self._read.missing_share(examples)
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


def served_with(base: ModelInfo, adapter: Path, recipe: Recipe, scale: float = 1.0) -> ServedModel:
    """The base with an adapter, as its method wants it."""
    base_reads_prompt = METHODS[recipe.method].base_reads_prompt
    return ServedModel(base, base.path, adapter, scale, base_reads_prompt=base_reads_prompt)


def _in_time(examples: Iterable[TokenizedExample], end: float) -> Iterator[TokenizedExample]:
    """Examples made until `end` (time.monotonic()), FEWEST_EXAMPLES in any case."""
    for made, example in enumerate(examples, 1):
        yield example
        if time.monotonic() > end and made >= FEWEST_EXAMPLES:
            break


def _since(began: float) -> float:
    return time.monotonic() - began


def _better(known: Speed | None, found: Speed) -> Speed:
    if known is None:
        return found
    return Speed(min(known.learned, found.learned), min(known.read, found.read))


def _fitted(recipe: Recipe, examples: Sequence[TokenizedExample]) -> Recipe:
    """The recipe with steps small and passes many enough for a small profile."""
    lengths = [example.length for example in examples]
    share = max(max(lengths), sum(lengths) // STEPS_PER_PASS)
    batch = min(recipe.batch_tokens, share)
    steps_per_pass = max(1.0, sum(lengths) / batch)
    passes = max(recipe.epochs, min(MOST_PASSES, FEWEST_STEPS / steps_per_pass))
    return recipe.model_copy(update={"batch_tokens": batch, "epochs": passes})


def trains_on_cpu(device: str) -> bool:
    """Whether training on `device` ("auto" included) leaves accelerators alone."""
    return device == "cpu" or choose_device("auto").name == "cpu"


def memory_to_train(base: ModelInfo) -> int:
    """Bytes, on a CPU."""
    return memory_needed(base.parameters, "float32", False)

"""Adapters, one user after another, on one base that is loaded into torch once."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from localpers.datatypes import ServedModel, TokenizedExample
from localpers.evaluation.lamp.answering import Desk
from localpers.evaluation.lamp.lessons import examples_of
from localpers.evaluation.lamp.settings import Settings
from localpers.profile import make_private, write_atomically
from localpers.tuning.device import choose_device
from localpers.tuning.methods import METHODS, adapt, detach
from localpers.tuning.prompt_store import PromptStore
from localpers.tuning.recipe import Recipe
from localpers.tuning.schedule import Costs, Speed, steps_in_seconds
from localpers.tuning.torch_base import load_base, needs_checkpointing
from localpers.tuning.training import Trainer
from localpers.weights.adapter import write_adapter_gguf
from localpers.weights.tokenizer import Tokenizer

FEWEST_EXAMPLES = 4
STEPS_PER_PASS = 4
"""At least, also over a profile of a few short texts."""
FEWEST_STEPS = 8
MOST_PASSES = 3.0
"""To which passes are raised for FEWEST_STEPS: more would learn a small profile by heart."""
PATIENCE = 0.25
"""Of the budget, that making examples may take."""


@dataclass(frozen=True, slots=True)
class Trained:
    """An adapter's file and how it came about; `loss` in nats per token over the last steps."""

    path: Path
    examples: int
    steps: int
    tokens: int
    seconds: float
    loss: float

    @property
    def details(self) -> dict[str, Any]:
        facts = asdict(self)
        del facts["path"]
        return facts


class AdapterTrainer:
    """Trains one adapter at a time; files of its own lie in `workspace`."""

    def __init__(self, settings: Settings, tokenizer: Tokenizer, workspace: Path) -> None:
        """Raises MissingExtra without torch, UnsupportedModel, and OutOfMemory."""
        self._settings = settings
        self._tokenizer = tokenizer
        self._workspace = make_private(workspace)
        self._device = choose_device(settings.device)
        self._checkpointing = needs_checkpointing(settings.base, self._device)
        self._base = load_base(settings.base, self._device.dtype, workspace)
        self._checkpoint = self._workspace / "checkpoint"
        self._read = PromptStore(workspace)
        self._speed: Speed | None = None
        """The best seen: a busy machine makes it look worse, nothing makes it look better, and
        training ends in time even where it was too hopeful.
        """

    def train(self, desk: Desk, seconds: float, name: str) -> Trained | None:
        """An adapter for the profile at `desk`, in about `seconds`, written to a file after `name`.

        None where the profile holds too little to learn from. Raises TrainingDiverged.
        """
        began = time.monotonic()
        path = self._settings.folder / _file_name(name)
        if self._settings.keep and (kept := _kept(path)):
            return kept
        examples = list(self._examples(desk, began, seconds))
        if len(examples) < FEWEST_EXAMPLES:
            return None
        model = adapt(self._base, self._settings.recipe.model_copy(update={"seed": self._seed}))
        try:
            examples, costs = self._affordable(model, examples, seconds - _since(began))
            recipe = _fitted(self._settings.recipe, examples, self._seed)
            left = max(1.0, seconds - _since(began))
            total = steps_in_seconds(examples, recipe, left, costs)
            result = self._trainer(model, examples, recipe).train(total, planned_seconds=left)
            method = METHODS[recipe.method]
            adapter = method.export(model, self._base, self._settings.base.sha256)
        finally:
            detach(model)
            self._clear()
        write_adapter_gguf(adapter, self._settings.base.path, path)
        recent = result.losses[-8:]
        trained = Trained(
            path=path,
            examples=len(examples),
            steps=result.steps,
            tokens=result.tokens,
            seconds=round(_since(began), 2),
            loss=round(sum(recent) / len(recent), 4),
        )
        if self._settings.keep:
            write_atomically(path.with_suffix(".json"), json.dumps(trained.details))
        return trained

    def forget(self) -> None:
        """Let go of what was read for one user: another has other prompts."""
        self._read.forget()

    @property
    def _seed(self) -> int:
        return self._settings.seed

    def _trainer(self, model: Any, examples: Sequence[TokenizedExample], recipe: Recipe) -> Trainer:
        self._clear()
        return Trainer(
            model,
            examples,
            recipe,
            self._device,
            self._checkpoint,
            self._checkpointing,
            self._read,
        )

    def _clear(self) -> None:
        shutil.rmtree(self._checkpoint, ignore_errors=True)

    def _affordable(
        self, model: Any, examples: list[TokenizedExample], seconds: float
    ) -> tuple[list[TokenizedExample], Costs]:
        """As many of the examples as `seconds` allow to be learned in whole passes, and what they
        cost: what is seen in half a pass, at a rate that never comes down, helps little.
        """
        recipe = _fitted(self._settings.recipe, examples, self._seed)
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

    def _examples(self, desk: Desk, began: float, seconds: float) -> Iterator[TokenizedExample]:
        """What the profile teaches, until making it has taken its share of `seconds`."""
        for made, example in enumerate(examples_of(desk, self._tokenizer), 1):
            yield example
            if _since(began) > PATIENCE * seconds and made >= FEWEST_EXAMPLES:
                break


def served_with(settings: Settings, trained: Trained | None, scale: float = 1.0) -> ServedModel:
    """The base with an adapter, as its method wants it, or bare."""
    path = trained.path if trained else None
    base, method = settings.base, METHODS[settings.recipe.method]
    base_reads_prompt = trained is not None and method.base_reads_prompt
    return ServedModel(base, base.path, path, scale, base_reads_prompt=base_reads_prompt)


def _since(began: float) -> float:
    return time.monotonic() - began


def _kept(path: Path) -> Trained | None:
    """The adapter that an earlier run with the same settings has kept."""
    try:
        facts = json.loads(path.with_suffix(".json").read_text())
        return Trained(path=path, **facts) if path.is_file() else None
    except (OSError, ValueError, TypeError):
        return None


def _better(known: Speed | None, found: Speed) -> Speed:
    if known is None:
        return found
    return Speed(min(known.learned, found.learned), min(known.read, found.read))


def _fitted(recipe: Recipe, examples: Sequence[TokenizedExample], seed: int) -> Recipe:
    """The recipe with steps small and passes many enough for a small profile."""
    lengths = [example.length for example in examples]
    share = max(max(lengths), sum(lengths) // STEPS_PER_PASS)
    batch = min(recipe.batch_tokens, share)
    steps_per_pass = max(1.0, sum(lengths) / batch)
    passes = max(recipe.epochs, min(MOST_PASSES, FEWEST_STEPS / steps_per_pass))
    return recipe.model_copy(update={"batch_tokens": batch, "epochs": passes, "seed": seed})


def _file_name(user: str) -> str:
    """A name that every file system takes, and that tells users apart."""
    digest = hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', user)[:60]}-{digest}.gguf"

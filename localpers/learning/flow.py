"""One run, from notes to a promoted model: the order of its steps and the clock over them.

A run can be interrupted at any point: what is expensive (training) is resumed from its checkpoint,
what is cheap is done again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from localpers.datatypes import Example, Reporter, ServedModel, TokenizedExample
from localpers.errors import LocalpersError, ParityFailed
from localpers.evaluation.surroundings import Surroundings
from localpers.evaluation.trials import Trial, as_example, read_trials, write_trials
from localpers.evaluation.verdict import FEWEST_EXAMPLES, Verdict, judge
from localpers.learning.conversion import Converted, Workbench, convert
from localpers.learning.description import describe, fingerprint, parity_message
from localpers.learning.preparation import Options, Prepared, prepare
from localpers.profile import Profile
from localpers.runs import RunFolder, interrupted_run, prune
from localpers.store import Store
from localpers.tuning.dataset import read_jsonl, write_jsonl
from localpers.tuning.device import Device, choose_device
from localpers.tuning.outcome import MOST_POSITIONS
from localpers.tuning.recipe import Recipe
from localpers.weights import catalog
from localpers.weights.tokenizer import Tokenizer

VERDICT_SHARE = 0.15
"""Of a budget, kept for the verdict; it takes what is left in the end."""
EXAMPLE_TOKENS = 900
"""A held-out example reads about so many, passages included."""
LEAST_TRAINING_SECONDS = 5.0
LARGEST_KL = 1e-3
"""Nats per token between the merged F16 file and torch; beyond it the conversion is wrong."""
LARGEST_KL_BF16 = 2e-2
"""Likewise where memory allows the reference no more than bfloat16."""


def learn(profile: Profile, options: Options, reporter: Reporter) -> dict[str, Any]:
    """Tune, convert, check and judge; returns the run's description, which is also on disk.

    The caller holds the profile for writing. Raises ParityFailed where the converted model is not
    the trained one (the run is kept, not promoted), and what prepare and the trainer raise;
    KeyboardInterrupt leaves a run that `options.resume` continues.
    """
    folder = interrupted_run(profile)
    if folder is not None and not options.resume:
        reporter.warn(f"Run {folder.id} was interrupted; --resume goes on with it. Starting anew.")
        folder = None
    elif folder is not None and options.recipe != Recipe.of(folder.load_plan()["recipe"]):
        reporter.warn("An interrupted run goes on with its own base, device and recipe.")
    if folder is None:
        prepared = prepare(profile, options, reporter)
        folder = RunFolder.create(profile)
        _save_plan(folder, prepared, options)
    return _Run(profile, folder, options, reporter).go()


def _save_plan(folder: RunFolder, prepared: Prepared, options: Options) -> None:
    write_jsonl(prepared.examples, folder.examples)
    write_trials(prepared.trials, folder.held_out)
    base = prepared.preflight.base
    folder.save_plan(
        {
            "created": datetime.now().astimezone().isoformat(timespec="seconds"),
            "base": {"name": base.name, "sha256": base.sha256},
            "recipe": options.recipe.model_dump(mode="json"),
            "device": prepared.preflight.device.name,
            "checkpointing": prepared.preflight.checkpointing,
            "data": {
                "documents": prepared.preflight.documents,
                "words": prepared.preflight.words,
                "split_by": prepared.by,
                "learned": prepared.learned,
                "fingerprint": fingerprint(prepared.learned),
                "held_out": prepared.held_out,
            }
            | (
                {"retrievable": prepared.retrievable}
                if prepared.retrievable != prepared.learned
                else {}
            ),
        }
    )


class _Run:
    """One run from its plan to its description."""

    def __init__(
        self, profile: Profile, folder: RunFolder, options: Options, reporter: Reporter
    ) -> None:
        self._profile = profile
        self._folder = folder
        self._options = options
        self._reporter = reporter
        self._plan = folder.load_plan()
        self._recipe = Recipe.of(self._plan["recipe"])
        self._device: Device = choose_device(self._plan["device"])
        self._base = catalog.find(self._plan["base"]["name"])
        if self._base.sha256 != self._plan["base"]["sha256"]:
            raise LocalpersError(
                f"The base {self._base.name} is not the file that this run began with: "
                "tune again without --resume."
            )
        self._tokenizer = Tokenizer.open(self._base.path)

    def go(self) -> dict[str, Any]:
        examples = read_jsonl(self._folder.examples)
        trials = read_trials(self._folder.held_out)
        bench = Workbench(
            folder=self._folder,
            base=self._base,
            recipe=self._recipe,
            device=self._device,
            checkpointing=bool(self._plan["checkpointing"]),
            tokenizer=self._tokenizer,
            reporter=self._reporter,
        )
        unseen = sorted({trial.completion for trial in trials}, key=len, reverse=True)
        converted = convert(bench, self._tokenized(examples), unseen, self._steps)
        merged = converted.parity["merged_f16"]
        limit = LARGEST_KL if converted.reference == "float32" else LARGEST_KL_BF16
        if merged.mean_kl > limit or merged.tokens_equal is False:
            self._finish(converted, len(examples), None, None)
            raise ParityFailed(parity_message(self._folder, merged, limit))
        verdict, served = self._judge(self._with_passages(trials))
        return self._finish(converted, len(examples), verdict, served)

    def _tokenized(self, examples: Sequence[Example]) -> list[TokenizedExample]:
        return [self._tokenizer.example_ids(example.messages) for example in examples]

    def _steps(
        self, seconds_per_token: float, fitting: Callable[[float], int]
    ) -> tuple[int, float]:
        """(steps in all, seconds they should take): from the plan, or now planned and saved."""
        if "steps" in self._plan:
            return int(self._plan["steps"]), math.inf
        seconds = math.inf
        if math.isfinite(self._options.budget):
            spent = time.monotonic() - self._options.started
            rest = self._after_training(seconds_per_token)
            seconds = max(LEAST_TRAINING_SECONDS, self._options.budget - spent - rest)
        count = fitting(seconds)
        self._plan["steps"] = count
        self._folder.save_plan(self._plan)
        return count, seconds

    def _after_training(self, seconds_per_token: float) -> float:
        """Seconds for conversion, parity and verdict, from the measured speed of training.

        Reading a token costs llama.cpp about as much as training all layers on one costs torch
        (measured: 0.8 times, on two cores); writing, merging and quantizing take 50 ms per million
        parameters. A layer that is not adapted costs a third of one that is.
        """
        whole = 3 / (1 + 2 * self._recipe.layers)
        reading = 0.8 * whole * seconds_per_token
        parity = 4 * MOST_POSITIONS * reading
        writing = 0.05 * self._base.parameters / 1e6
        verdict = 3 * FEWEST_EXAMPLES * EXAMPLE_TOKENS * reading
        return parity + writing + max(verdict, VERDICT_SHARE * self._options.budget)

    def _with_passages(self, trials: Sequence[Trial]) -> list[Example]:
        """The trials as `ask` would answer them, from what was not held out."""
        data = self._plan["data"]
        with Store.open(self._profile) as store:
            allowed = frozenset(data.get("retrievable", data["learned"]))
            around = Surroundings(store, allowed, seed=self._recipe.seed)
            window, hashes = self._base.context_length, around.hashes
            return [
                as_example(t, around.find("auto", t.query), self._tokenizer, window, hashes)
                for t in trials
            ]

    def _judge(self, held_out: Sequence[Example]) -> tuple[Verdict, ServedModel]:
        self._reporter.stage("Judging on held-out text")
        merged = self._folder.model(self._recipe.quantization)
        run = self._folder.id
        candidates = {
            "merged": ServedModel(self._base, merged, run=run),
            "adapter": ServedModel(self._base, self._base.path, self._folder.adapter, run=run),
        }
        left = self._options.budget - (time.monotonic() - self._options.started)
        verdict = judge(
            ServedModel(self._base, self._base.path),
            candidates,
            held_out,
            seconds=max(left - 1.0, 4.0) if math.isfinite(left) else math.inf,
            on_progress=lambda name, done, total: self._reporter.progress(done, total, name, None),
        )
        return verdict, candidates[verdict.best]

    def _finish(
        self,
        converted: Converted,
        examples: int,
        verdict: Verdict | None,
        served: ServedModel | None,
    ) -> dict[str, Any]:
        promoted = verdict is not None and verdict.winner is not None
        description = describe(
            self._folder, self._plan, self._base, self._device.name, converted, verdict, served
        )
        description["examples"] = examples
        description["seconds_total"] = round(time.monotonic() - self._options.started, 1)
        self._folder.finish(description)
        if promoted:
            self._profile.choose_base(self._base.name)
            self._profile.promote(self._folder.id)
        prune(self._profile)
        return description

"""One run, from notes to a promoted model: the order of its steps and the clock over them.

A run can be interrupted at any point: what is expensive (training) is resumed from its checkpoint,
what is cheap is done again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from localpers.datatypes import Example, Reporter, ServedModel, TokenizedExample
from localpers.embedding import open_retriever
from localpers.errors import LocalpersError, ParityFailed
from localpers.evaluation.judging import Evidence, Incumbent, judge, served_as
from localpers.evaluation.questions import make_questions
from localpers.evaluation.surroundings import Surroundings
from localpers.evaluation.trials import Trial, read_trials, write_trials
from localpers.evaluation.verdict import Verdict
from localpers.inference.served import served_model
from localpers.learning.budget import Budget
from localpers.learning.conversion import Converted, Workbench, convert
from localpers.learning.description import describe, fingerprint, parity_message
from localpers.learning.preparation import Options, Prepared, prepare
from localpers.learning.warm_start import WarmStart, find_warm_start
from localpers.learning.withholding import fingerprint_of_rules
from localpers.profile import Profile
from localpers.retrieval.lexicon import Lexicon
from localpers.retrieval.retriever import Retriever
from localpers.runs import RunFolder, find_run, interrupted_run, prune
from localpers.runs.records import RecordedBase, RunData, RunPlan, RunRecord
from localpers.store import Store
from localpers.tuning.dataset import read_jsonl, write_jsonl
from localpers.tuning.device import Device, choose_device
from localpers.tuning.recipe import Recipe
from localpers.weights import catalog
from localpers.weights.tokenizer import Tokenizer

MOST_QUESTIONS = 24
LARGEST_KL = 1e-3
"""Nats per token between the merged F16 file and torch; beyond it the conversion is wrong."""
LARGEST_KL_BF16 = 2e-2
"""Likewise where memory allows the reference no more than bfloat16."""


def learn(profile: Profile, options: Options, reporter: Reporter) -> RunRecord:
    """Tune, convert, check and judge; returns the run's record, which is also on disk.

    The caller holds the profile for writing. Raises ParityFailed where the converted model is not
    the trained one (the run is kept, not promoted), and what prepare and the trainer raise;
    KeyboardInterrupt leaves a run that `options.resume` continues.
    """
    folder = interrupted_run(profile)
    if folder is not None and not options.resume:
        reporter.warn(f"Run {folder.id} was interrupted; --resume goes on with it. Starting anew.")
        folder = None
    elif folder is not None and options.recipe != Recipe.of(folder.plan().recipe):
        reporter.warn("An interrupted run goes on with its own base, device and recipe.")
    if folder is not None and folder.plan().rules != fingerprint_of_rules(profile):
        reporter.warn(
            f"The rules of what is learned changed since run {folder.id} began. Starting anew."
        )
        folder = None
    if folder is None:
        prepared = prepare(profile, options, reporter)
        folder = RunFolder.create(profile)
        _save_plan(folder, prepared, options, find_warm_start(profile, prepared, options))
    return _Run(profile, folder, options, reporter).run()


def _save_plan(
    folder: RunFolder, prepared: Prepared, options: Options, warm: WarmStart | None
) -> None:
    write_jsonl(prepared.examples, folder.examples)
    write_trials(prepared.trials, folder.held_out)
    folder.write_origins((*prepared.origins, *(warm.origins if warm else ())))
    base = prepared.preflight.base
    folder.save_plan(
        RunPlan(
            created=datetime.now().astimezone().isoformat(timespec="seconds"),
            base=RecordedBase(name=base.name, sha256=base.sha256),
            recipe=options.recipe.model_dump(mode="json"),
            device=prepared.preflight.device.name,
            checkpointing=prepared.preflight.checkpointing,
            rules=prepared.withheld.rules,
            data=RunData(
                documents=prepared.preflight.documents,
                words=prepared.preflight.words,
                split_by=prepared.by,
                learned=prepared.learned,
                fingerprint=fingerprint(prepared.learned),
                held_out=prepared.held_out,
                sources=prepared.sources,
                retrievable=prepared.retrievable,
                inherited=warm.inherited if warm else (),
                withheld=prepared.withheld.counts(),
            ),
            warm_start=warm.run.id if warm else None,
        )
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
        self._plan = folder.plan()
        self._recipe = Recipe.of(self._plan.recipe)
        self._device: Device = choose_device(self._plan.device)
        self._base = catalog.find(self._plan.base.name)
        if self._base.sha256 != self._plan.base.sha256:
            raise LocalpersError(
                f"The base {self._base.name} is not the file that this run began with: "
                "tune again without --resume."
            )
        self._tokenizer = Tokenizer.open(self._base.path)

    def run(self) -> RunRecord:
        examples = read_jsonl(self._folder.examples)
        trials = read_trials(self._folder.held_out)
        warm = self._plan.warm_start
        bench = Workbench(
            folder=self._folder,
            base=self._base,
            recipe=self._recipe,
            device=self._device,
            checkpointing=self._plan.checkpointing,
            tokenizer=self._tokenizer,
            reporter=self._reporter,
            warm_start=find_run(self._profile, warm) if warm else None,
        )
        unseen = sorted({trial.completion for trial in trials}, key=len, reverse=True)
        converted = convert(bench, self._tokenized(examples), unseen, self._steps)
        merged = converted.parity.merged_f16
        limit = LARGEST_KL if converted.reference == "float32" else LARGEST_KL_BF16
        if merged and (merged.mean_kl > limit or merged.tokens_equal is False):
            self._finish(converted, len(examples), None, None)
            raise ParityFailed(parity_message(self._folder, merged, limit))
        verdict, served = self._judge(trials)
        return self._finish(converted, len(examples), verdict, served)

    def _tokenized(self, examples: Sequence[Example]) -> list[TokenizedExample]:
        return [self._tokenizer.example_ids(example.messages) for example in examples]

    def _steps(
        self, seconds_per_token: float, fitting: Callable[[float], int]
    ) -> tuple[int, float]:
        """(steps in all, seconds they should take): from the plan, or now planned and saved."""
        seconds = math.inf
        if math.isfinite(self._options.budget):
            budget = Budget(
                self._options.budget, self._recipe, self._base.parameters, seconds_per_token
            )
            seconds = budget.training(spent=time.monotonic() - self._options.started)
        if self._plan.steps is not None:
            return self._plan.steps, seconds
        count = fitting(seconds)
        self._plan = self._plan.model_copy(update={"steps": count})
        self._folder.save_plan(self._plan)
        return count, seconds

    def _judge(self, trials: Sequence[Trial]) -> tuple[Verdict, ServedModel]:
        self._reporter.stage("Judging on held-out text")
        run, base = self._folder.id, self._base
        activated = self._recipe.method == "activated"
        adapter = ServedModel(
            base, base.path, self._folder.adapter, run=run, base_reads_prompt=activated
        )
        merged = ServedModel(base, self._folder.model(self._recipe.quantization), run=run)
        # Merged into the base, an adapter cannot stay away from prompts.
        files = {"adapter": adapter} if activated else {"merged": merged, "adapter": adapter}
        left = self._options.budget - (time.monotonic() - self._options.started)
        with Store.open(self._profile) as store, open_retriever(store) as retriever:
            verdict = judge(
                ServedModel(base, base.path),
                files,
                self._evidence(store, retriever, trials),
                _incumbent(self._profile),
                seconds=max(left - 1.0, 4.0),
                on_progress=self._show_judging,
            )
        return verdict, served_as(verdict.setting, files)

    def _show_judging(self, what: str, done: int, total: int) -> None:
        """What is left is known from the budget: how much is measured depends on it."""
        left = self._options.budget - (time.monotonic() - self._options.started)
        self._reporter.progress(done, total, what, max(left, 0.0) if math.isfinite(left) else None)

    def _evidence(self, store: Store, retriever: Retriever, trials: Sequence[Trial]) -> Evidence:
        retrievable = frozenset(self._plan.data.retrievable)
        around = Surroundings(store, retrievable, seed=self._recipe.seed, retriever=retriever)
        lexicon = Lexicon(store)
        known = list(around.documents.values())
        questions = make_questions(known, lexicon, MOST_QUESTIONS, self._recipe.seed)
        return Evidence(trials, questions, around, lexicon)

    def _finish(
        self,
        converted: Converted,
        examples: int,
        verdict: Verdict | None,
        served: ServedModel | None,
    ) -> RunRecord:
        record = describe(
            self._folder,
            self._plan,
            self._base,
            self._device.name,
            converted,
            verdict,
            served,
            examples=examples,
            seconds=time.monotonic() - self._options.started,
        )
        self._folder.finish(record)
        if record.promoted:
            self._profile.promote(self._folder.id, self._base.name)
        prune(self._profile)
        return record


def _incumbent(profile: Profile) -> Incumbent | None:
    """The run that answers now, if one can."""
    run = profile.promoted()
    if run is None:
        return None
    try:
        return Incumbent(served_model(profile), find_run(profile, run).data().learned_from())
    except LocalpersError:
        return None

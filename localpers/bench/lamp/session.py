"""All conditions for one user after the other, on models that are loaded once per process."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from localpers.assistant.assistant import Assistant
from localpers.assistant.notes import NoNotes
from localpers.bench.lamp.choice import SCALES, USUAL, Candidate, Values, choose, held_out, values
from localpers.bench.lamp.context import CHOSEN, Assignment, RunContext, condition_called
from localpers.bench.lamp.evaluator import UserEvaluator
from localpers.bench.lamp.paraphrases import SHARE as PARAPHRASING_SHARE
from localpers.bench.lamp.paraphrases import paraphrased
from localpers.bench.lamp.records import Record
from localpers.datatypes import ServedModel
from localpers.errors import TrainingDiverged
from localpers.profile import write_atomically
from localpers.tuning.adapter_trainer import FEWEST_EXAMPLES, AdapterTrainer, served_with
from localpers.weights.tokenizer import Tokenizer

CHOICE_SHARE = 0.4
"""Of a user's budget, for the adapter on which the choice is made; the other serves, and has what
is left whether a choice is asked for or not: its answers go into the same file."""
_WORKSPACE = "process-"


class Session:
    """One process's models; use it as a context manager."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._tokenizer = Tokenizer.open(context.base.path)
        self._base = self._open_base()
        self._trainer: AdapterTrainer | None = None
        self._workspace = context.folder / f"{_WORKSPACE}{os.getpid()}"

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._base.close()
        shutil.rmtree(self._workspace, ignore_errors=True)

    def records(self, assignment: Assignment) -> Iterator[Record]:
        """The answers that the user's questions lack, one by one."""
        try:
            yield from self._records(assignment)
        finally:
            if self._trainer:
                self._trainer.forget()

    def _records(self, assignment: Assignment) -> Iterator[Record]:
        # So that a user's answers do not depend on who was asked before, to the last digit: how a
        # used KV cache lies in memory changes how sums are cut.
        self._base.close()
        self._base = self._open_base()
        evaluator, names = self._evaluator(assignment), assignment.names
        budget, choice = self._context.budget, Candidate()
        if self._context.task.paraphrases:
            budget *= 1 - PARAPHRASING_SHARE
        measured: Values = {}
        if CHOSEN in names:
            measured = self._measured(evaluator, budget * CHOICE_SHARE)
            choice = choose(measured)
        adapts = any(condition_called(name).adapter for name in names - {CHOSEN})
        path, details = None, dict[str, Any]()
        if adapts or (CHOSEN in names and condition_called(choice.condition).adapter):
            path, details = self._adapter(evaluator, budget * (1 - CHOICE_SHARE), evaluator.user.id)
        weaker = {CHOSEN} if choice.scale != 1.0 else set()
        with self._removed_later(path):
            for scale, some in ((1.0, names - weaker), (choice.scale, names & weaker)):
                for record in self._answers(evaluator, assignment, some, path, choice, scale):
                    yield _with_details(record, choice, measured, details)

    def _open_base(self) -> Assistant:
        return Assistant(ServedModel(self._context.base, self._context.base.path), NoNotes())

    def _evaluator(self, assignment: Assignment) -> UserEvaluator:
        """Of LaMP_7, one whose examples are pairs: the base's words for each text and the text
        itself; of texts alone where the base has no words of its own.
        """
        context, user, other = self._context, assignment.user, assignment.other
        plain = UserEvaluator(context, self._tokenizer, user, other)
        if not context.task.paraphrases or not assignment.names - {"base", "rag:paper"}:
            return plain
        profiles = (user.profile, other.profile if other else ())
        seconds = context.budget * PARAPHRASING_SHARE / sum(map(bool, (user, other)))
        own, others = (
            paraphrased(
                self._base, self._tokenizer, context.instruction, one, seconds, context.seed
            )
            for one in profiles
        )
        # What was read meanwhile depends on the clock; answers must not depend on it.
        self._base.close()
        self._base = self._open_base()
        if len(own) < FEWEST_EXAMPLES:
            return plain
        return UserEvaluator(context, self._tokenizer, user, other, (own, others))

    def _measured(self, evaluator: UserEvaluator, seconds: float) -> Values:
        """Every candidate's values on the items held out, after `seconds` of training."""
        if self._context.task.cites:
            return {USUAL: []}
        earlier = held_out(evaluator)
        if earlier is None:
            return {}
        path, _ = self._adapter(earlier, seconds, f"{evaluator.user.id}, held out")
        found: dict[Candidate, list[float]] = {}
        with self._removed_later(path):
            for scale in SCALES if path else SCALES[:1]:
                with self._assistant(path, scale) as assistant:
                    found |= values(earlier, assistant, scale)
        return found

    def _answers(
        self,
        evaluator: UserEvaluator,
        assignment: Assignment,
        names: frozenset[str],
        adapter: Path | None,
        choice: Candidate,
        scale: float,
    ) -> Iterator[Record]:
        """Under these conditions; without an adapter (the profile was too small for one, training
        diverged, or none is needed) the base gives them all. `choice` is what CHOSEN stands for.
        """
        if not names:
            return
        with self._assistant(adapter, scale) as assistant:
            for question in assignment.user.questions:
                missing = assignment.missing.get(question.id, ())
                stands_for = {
                    name: condition_called(choice.condition if name == CHOSEN else name)
                    for name in missing
                    if name in names
                }
                given: dict[object, Record] = {}
                # Equal prompts follow one another, so that each is read once.
                for name in sorted(stands_for, key=lambda name: stands_for[name].retriever):
                    condition = stands_for[name]
                    if condition not in given:
                        given[condition] = evaluator.answer(assistant, question, condition, name)
                    yield replace(given[condition], condition=name)

    @contextmanager
    def _assistant(self, adapter: Path | None, scale: float) -> Iterator[Assistant]:
        if adapter is None:
            yield self._base
            return
        context = self._context
        served = served_with(context.base, adapter, context.recipe, scale)
        with Assistant(served, NoNotes()) as assistant:
            yield assistant

    def _adapter(
        self, evaluator: UserEvaluator, seconds: float, name: str
    ) -> tuple[Path | None, dict[str, Any]]:
        """(adapter, how it came about): trained, or kept by an earlier run of these settings."""
        context = self._context
        path = context.folder / _file_name(name)
        facts = path.with_suffix(".json")
        if context.keep and path.is_file() and facts.is_file():
            return path, {"adapter": json.loads(facts.read_text())}
        if self._trainer is None:
            self._trainer = AdapterTrainer(
                context.base,
                context.recipe.model_copy(update={"seed": context.seed}),
                self._workspace,
                context.device,
            )
        try:
            trained = self._trainer.train(evaluator.training_examples(), seconds, path)
        except TrainingDiverged:
            return None, {"adapter": None, "diverged": True}
        if trained is None:
            return None, {"adapter": None}
        if context.keep:
            write_atomically(facts, json.dumps(asdict(trained)))
        return path, {"adapter": asdict(trained)}

    @contextmanager
    def _removed_later(self, adapter: Path | None) -> Iterator[None]:
        try:
            yield
        finally:
            if adapter and not self._context.keep:
                adapter.unlink(missing_ok=True)


def remove_left_behind(benchmarks: Path) -> None:
    """Remove the workspaces of processes that were killed, in any folder of adapters."""
    import psutil

    for place in benchmarks.glob(f"*/{_WORKSPACE}*"):
        if not psutil.pid_exists(int(place.name.removeprefix(_WORKSPACE))):
            shutil.rmtree(place, ignore_errors=True)


def _with_details(
    record: Record, choice: Candidate, measured: Values, adapter: dict[str, Any]
) -> Record:
    """With the adapter behind it, and with what was chosen and each candidate's held-out values."""
    details = dict(record.details)
    name = choice.condition if record.condition == CHOSEN else record.condition
    if condition_called(name).adapter:
        details |= adapter
    if record.condition == CHOSEN:
        tried = {
            f"{one.condition} at {one.scale:g}": [round(value, 4) for value in found]
            for one, found in measured.items()
        }
        details["choice"] = asdict(choice) | {"values": tried}
    return replace(record, details=details)


def _file_name(user: str) -> str:
    """A name that every file system takes, and that tells users apart."""
    digest = hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9_-]', '_', user)[:60]}-{digest}.gguf"

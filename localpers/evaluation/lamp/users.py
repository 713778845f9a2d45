"""All conditions for one user after the other, on models that are loaded once per process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self

from localpers.datatypes import ServedModel
from localpers.errors import TrainingDiverged
from localpers.evaluation.conditions import Condition
from localpers.evaluation.lamp.answering import Desk
from localpers.evaluation.lamp.choice import Candidate, Values, choose, measure
from localpers.evaluation.lamp.data import Question
from localpers.evaluation.lamp.records import Record
from localpers.evaluation.lamp.restating import SHARE as RESTATING_SHARE
from localpers.evaluation.lamp.restating import in_pairs, restated
from localpers.evaluation.lamp.settings import (
    CHOSEN,
    Assignment,
    Settings,
    condition_called,
    needs_adapter,
)
from localpers.evaluation.lamp.training import FEWEST_EXAMPLES, AdapterTrainer, Trained, served_with
from localpers.inference.engine import Engine

CHOICE_SHARE = 0.4
"""Of a user's budget, for the adapter on which the choice is made; the other serves, and has what
is left whether a choice is asked for or not: its answers go into the same file."""

_WORKSPACE = "process-"


class Session:
    """One process's models; use it as a context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._base = Engine.open(ServedModel(settings.base, settings.base.path))
        self._trainer: AdapterTrainer | None = None
        self._workspace = settings.folder / f"{_WORKSPACE}{os.getpid()}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._base.close()
        shutil.rmtree(self._workspace, ignore_errors=True)

    def records(self, assignment: Assignment) -> Iterator[Record]:
        """The answers that the user's questions lack, one by one."""
        desk = Desk.of(
            self._settings,
            assignment.user,
            assignment.other,
            self._base.tokenizer,
            self._base.n_ctx,
        )
        names = {name for missing in assignment.missing.values() for name in missing}
        if self._settings.task.restates and names - {"base", "rag:paper"}:
            desk = self._restated(desk, assignment)
        if needs_adapter(tuple(names)):
            yield from self._tuned(desk, assignment, names)
        else:
            yield from self._answers(desk, assignment, names, None, Candidate())

    def _tuned(self, desk: Desk, assignment: Assignment, names: set[str]) -> Iterator[Record]:
        """All answers, where an adapter takes part in some, or may."""
        trainer = self._trainer_ready()
        budget, choice = self._settings.budget, Candidate()
        if self._settings.task.restates:
            budget *= 1 - RESTATING_SHARE
        measured: Values = {}
        if CHOSEN in names:
            measured = measure(desk, self._base, trainer, budget * CHOICE_SHARE)
            choice = choose(measured)
        trained, diverged = None, False
        if condition_called(choice.condition).adapter or needs_adapter(tuple(names - {CHOSEN})):
            try:
                trained = trainer.train(desk, budget * (1 - CHOICE_SHARE), desk.user.id)
            except TrainingDiverged:
                diverged = True
        try:
            weaker = CHOSEN in names and choice.scale != 1.0
            first = names - {CHOSEN} if weaker else names
            records = [self._answers(desk, assignment, first, trained, choice)]
            if weaker:
                scale = choice.scale
                records.append(self._answers(desk, assignment, {CHOSEN}, trained, choice, scale))
            for record in chain.from_iterable(records):
                if record.condition == CHOSEN:
                    record = _with_choice(record, choice, measured)
                if diverged and "adapter" in record.details:
                    record = replace(record, details={**record.details, "diverged": True})
                yield record
        finally:
            trainer.forget()
            if trained and not self._settings.keep:
                trained.path.unlink(missing_ok=True)

    def _answers(
        self,
        desk: Desk,
        assignment: Assignment,
        names: set[str],
        trained: Trained | None,
        choice: Candidate,
        scale: float = 1.0,
    ) -> Iterator[Record]:
        """The answers under these conditions; without an adapter (the profile was too small for
        one, training diverged, or none is needed) the base gives them all. `choice` is what CHOSEN
        stands for.
        """
        wanted = list(_wanted(assignment, names, choice))
        with ExitStack() as stack:
            engine = self._base
            if trained:
                served = served_with(self._settings, trained, scale)
                engine = stack.enter_context(Engine.open(served))
            given: dict[tuple[str, Condition], Record] = {}
            for question, name, condition in wanted:
                asked = (question.id, condition)
                if asked not in given:
                    given[asked] = desk.answer(
                        engine, question, condition.retriever, name, condition.adapter
                    )
                record = replace(given[asked], condition=name)
                if condition.adapter:
                    facts = trained.details if trained else None
                    record = replace(record, details={**record.details, "adapter": facts})
                yield record

    def _restated(self, desk: Desk, assignment: Assignment) -> Desk:
        """One whose items are pairs: each text and what the base says in its stead. The same where
        the base has no words of its own.
        """
        users = (assignment.user, assignment.other)
        seconds = self._settings.budget * RESTATING_SHARE / sum(map(bool, users))
        own, other = (
            restated(self._base, self._settings.instruction, user, seconds, self._settings.seed)
            for user in users
        )
        # What has been read meanwhile depends on the clock; answers must not depend on it.
        self._base.forget()
        if own is None or len(own.profile) < FEWEST_EXAMPLES:
            return desk
        settings = replace(self._settings, task=in_pairs(desk.settings))
        paired = Desk.of(settings, own, other, self._base.tokenizer, self._base.n_ctx)
        return replace(paired, protocol=desk)

    def _trainer_ready(self) -> AdapterTrainer:
        if self._trainer is None:
            self._trainer = AdapterTrainer(self._settings, self._base.tokenizer, self._workspace)
        return self._trainer


def remove_left_behind(benchmarks: Path) -> None:
    """Remove the workspaces of processes that were killed, in any folder of adapters."""
    import psutil

    for place in benchmarks.glob(f"*/{_WORKSPACE}*"):
        if not psutil.pid_exists(int(place.name.removeprefix(_WORKSPACE))):
            shutil.rmtree(place, ignore_errors=True)


def _wanted(
    assignment: Assignment, names: set[str], choice: Candidate
) -> Iterator[tuple[Question, str, Condition]]:
    """(question, condition's name, what it stands for), equal prompts one after the other."""
    for question in assignment.user.questions:
        missing = [name for name in assignment.missing.get(question.id, ()) if name in names]
        stand_for = {
            name: condition_called(choice.condition if name == CHOSEN else name) for name in missing
        }
        for name in sorted(missing, key=lambda name: stand_for[name].retriever):
            yield question, name, stand_for[name]


def _with_choice(record: Record, choice: Candidate, measured: Values) -> Record:
    """The record with what was chosen, and each candidate's values on the held-out items."""
    values = {
        f"{one.condition} at {one.scale:g}": [round(value, 4) for value in found]
        for one, found in measured.items()
    }
    told = asdict(choice) | {"values": values}
    return replace(record, details={**record.details, "choice": told})

"""All conditions for one user after the other, on models that are loaded once per process."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from types import TracebackType
from typing import Any, Self

from localpers.datatypes import ServedModel
from localpers.evaluation.lamp.answering import Desk
from localpers.evaluation.lamp.choice import Candidate, choose, measure
from localpers.evaluation.lamp.data import Question
from localpers.evaluation.lamp.records import Record
from localpers.evaluation.lamp.settings import (
    CHOSEN,
    Assignment,
    Settings,
    condition_called,
    needs_adapter,
)
from localpers.evaluation.lamp.training import AdapterTrainer, Trained
from localpers.inference.engine import Engine

CHOICE_SHARE = 0.4
"""Of a user's budget, for the adapter on which the choice is made; the other serves."""


class Session:
    """One process's models; use it as a context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._base = Engine.open(ServedModel(settings.base, settings.base.path))
        self._trainer: AdapterTrainer | None = None
        self._workspace = settings.folder / f"process-{os.getpid()}"

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
        tuned = {name for name in names if needs_adapter((name,))}
        for question, name in _wanted(assignment, names - tuned):
            yield desk.answer(self._base, question, condition_called(name).passages, name)
        if tuned:
            yield from self._tuned(desk, assignment, tuned)

    def _tuned(self, desk: Desk, assignment: Assignment, names: set[str]) -> Iterator[Record]:
        """The answers of the conditions that an adapter takes part in, or may."""
        trainer = self._trainer_ready()
        budget, choice = self._settings.budget, Candidate()
        if CHOSEN in names:
            choice = choose(measure(desk, self._base, trainer, budget * CHOICE_SHARE))
            budget *= 1 - CHOICE_SHARE
        chosen_with_adapter = condition_called(choice.condition).adapter
        trained = None
        if chosen_with_adapter or names - {CHOSEN}:
            trained = trainer.train(desk, budget, desk.user.id)
        try:
            yield from self._with_adapter(desk, assignment, names - {CHOSEN}, trained, 1.0)
            if CHOSEN in names:
                scale = choice.scale if chosen_with_adapter else 1.0
                adapter = trained if chosen_with_adapter else None
                for record in self._with_adapter(
                    desk, assignment, {CHOSEN}, adapter, scale, choice
                ):
                    yield replace(record, details={**record.details, "choice": asdict(choice)})
        finally:
            if trained and not self._settings.keep:
                trained.path.unlink(missing_ok=True)

    def _with_adapter(
        self,
        desk: Desk,
        assignment: Assignment,
        names: set[str],
        trained: Trained | None,
        scale: float,
        choice: Candidate | None = None,
    ) -> Iterator[Record]:
        """Without an adapter (the profile was too small for one, or none was chosen) the base
        answers.
        """
        wanted = list(_wanted(assignment, names))
        if not wanted:
            return
        details: dict[str, Any] = {"adapter": trained.details if trained else None}
        if trained is None:
            engine = self._base
        else:
            base = self._settings.base
            engine = Engine.open(ServedModel(base, base.path, trained.path, scale))
        try:
            for question, name in wanted:
                condition = condition_called(choice.condition if choice else name)
                record = desk.answer(engine, question, condition.passages, name)
                yield replace(record, details=details)
        finally:
            if engine is not self._base:
                engine.close()

    def _trainer_ready(self) -> AdapterTrainer:
        if self._trainer is None:
            self._trainer = AdapterTrainer(self._settings, self._base.tokenizer, self._workspace)
        return self._trainer


def _wanted(assignment: Assignment, names: set[str]) -> Iterator[tuple[Question, str]]:
    for question in assignment.user.questions:
        for name in assignment.missing.get(question.id, ()):
            if name in names:
                yield question, name

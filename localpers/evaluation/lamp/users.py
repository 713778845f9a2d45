"""All conditions for one user after the other, on models that are loaded once per process."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from localpers.datatypes import ServedModel
from localpers.evaluation.lamp.answering import Desk
from localpers.evaluation.lamp.records import Record
from localpers.evaluation.lamp.settings import (
    Assignment,
    Settings,
    condition_called,
    needs_adapter,
)
from localpers.inference.engine import Engine


class Session:
    """One process's models; use it as a context manager."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._base = Engine.open(ServedModel(settings.base, settings.base.path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._base.close()

    def records(self, assignment: Assignment) -> Iterator[Record]:
        """The answers that the user's questions lack, one by one."""
        user = assignment.user
        desk = Desk.of(
            self._settings, user, assignment.other, self._base.tokenizer, self._base.n_ctx
        )
        names = {name for missing in assignment.missing.values() for name in missing}
        plain = {name for name in names if not needs_adapter((name,))}
        yield from _answers(desk, self._base, assignment, plain)


def _answers(
    desk: Desk, engine: Engine, assignment: Assignment, names: set[str]
) -> Iterator[Record]:
    for question in desk.user.questions:
        for name in assignment.missing.get(question.id, ()):
            if name in names:
                yield desk.answer(engine, question, condition_called(name).passages, name)

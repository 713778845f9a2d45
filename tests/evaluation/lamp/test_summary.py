"""Figures of a run: what is compared with the base, and what cannot be."""

from __future__ import annotations

from localpers.evaluation.lamp.data import Question, User
from localpers.evaluation.lamp.records import Record
from localpers.evaluation.lamp.summary import summarize
from localpers.evaluation.lamp.tasks import TASKS


def record(number: int, condition: str, right: bool) -> Record:
    scores = {"correct": float(right)}
    return Record("u", str(number), condition, "", "", "[1]", scores, 2.0, 2)


def test_nothing_is_said_relative_to_a_base_that_has_nothing_right() -> None:
    questions = tuple(Question(str(n), "", "", "[1]") for n in range(4))
    rows = [record(n, "base", False) for n in range(4)]
    rows += [record(n, "rag", n > 1) for n in range(4)]
    found = summarize(TASKS["LaMP_1"], [User("u", (), questions)], ("base", "rag"), rows)
    assert "accuracy" in found.conditions["rag"].metrics
    assert found.conditions["rag"].relative.keys() == {"nll"}

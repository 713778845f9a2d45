"""Figures compare like with like."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from localpers.evaluation.figures import questions
from localpers.evaluation.results import Evaluation, QuestionResult


def test_a_question_that_was_not_measured_once_counts_nowhere() -> None:
    rows = [
        QuestionResult(name, "hash", question, "term", True, True, True, nll, "")
        for name, question, nll in (
            ("rag", "first", 1.0),
            ("rag", "second", 9.0),
            ("rag+peft", "first", 2.0),
            ("rag+peft", "second", None),
        )
    ]
    found = questions(
        cast(Evaluation, SimpleNamespace(conditions=("rag", "rag+peft"), questions=rows))
    )
    assert {name: (row["asked"], row["nll"]) for name, row in found.items()} == {
        "rag": (1, 1.0),
        "rag+peft": (1, 2.0),
    }

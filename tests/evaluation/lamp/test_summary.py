"""Figures of a run: what is compared with the base, and what cannot be."""

from __future__ import annotations

import math

import pytest

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


def test_a_label_that_nobody_wanted_counts_where_it_is_predicted() -> None:
    answers = [("comedy", "comedy"), ("Horror", "comedy"), ("no idea", "drama")]
    text = "tags: [comedy, drama, horror, war] description: x"
    questions = tuple(Question(str(n), text, "x", gold) for n, (_, gold) in enumerate(answers))
    records = [
        Record("a", str(n), "base", said, said, gold, {"correct": float(said == gold)}, 1.0, 1)
        for n, (said, gold) in enumerate(answers)
    ]
    found = summarize(TASKS["LaMP_2"], [User("a", (), questions)], ["base"], records)
    # comedy 2/3, drama 0, horror 0; "no idea" is no label, and war occurs nowhere.
    assert found.conditions["base"].metrics["macro_f1"] == pytest.approx(2 / 9)


def test_labels_are_counted_and_ratings_miss_by_their_distance() -> None:
    def metrics(task: str, scores: list[dict[str, float]]) -> dict[str, float]:
        questions = tuple(Question(str(n), "", "", "1") for n in range(len(scores)))
        rows = [
            Record("u", str(n), "base", "", "", "1", found, 2.0, 2)
            for n, found in enumerate(scores)
        ]
        found = summarize(TASKS[task], [User("u", (), questions)], ("base",), rows)
        return dict(found.conditions["base"].metrics)

    right = [{"correct": 1.0}, {"correct": 1.0}, {"correct": 0.0}]
    assert metrics("LaMP_1", right)["accuracy"] == pytest.approx(2 / 3)
    ratings = metrics("LaMP_3", [{"error": 1.0}, {"error": 3.0}])
    assert ratings["mae"] == pytest.approx(2) and ratings["rmse"] == pytest.approx(math.sqrt(5))

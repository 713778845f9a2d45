"""Figures of a run: what is compared with the base, and what cannot be."""

from __future__ import annotations

import math

import pytest

from localpers.bench.lamp.records import Record
from localpers.bench.lamp.summary import summarize
from localpers.bench.lamp.tasks import TASKS


def record(number: int, condition: str, right: bool) -> Record:
    scores = {"correct": float(right)}
    return Record("u", str(number), number, condition, "", "", "[1]", scores, 2.0, 2)


def test_nothing_is_said_relative_to_a_base_that_has_nothing_right() -> None:
    rows = [record(n, "base", False) for n in range(4)]
    rows += [record(n, "rag", n > 1) for n in range(4)]
    found = summarize(TASKS["LaMP_1"], ("base", "rag"), rows)
    assert "accuracy" in found.conditions["rag"].metrics
    assert found.conditions["rag"].relative.keys() == {"nll"}


def test_a_label_that_nobody_wanted_counts_where_it_is_predicted() -> None:
    answers = [("comedy", "comedy"), ("Horror", "comedy"), ("no idea", "drama")]
    records = []
    for n, (said, gold) in enumerate(answers):
        scores, known = {"correct": float(said == gold)}, {"known": said != "no idea"}
        records.append(Record("a", str(n), n, "base", said, said, gold, scores, 1.0, 1, known))
    found = summarize(TASKS["LaMP_2"], ["base"], records)
    # comedy 2/3, drama 0, horror 0; "no idea" is no label, and war occurs nowhere.
    assert found.conditions["base"].metrics["macro_f1"] == pytest.approx(2 / 9)


def test_labels_are_counted_and_ratings_miss_by_their_distance() -> None:
    def metrics(task: str, scores: list[dict[str, float]]) -> dict[str, float]:
        rows = [
            Record("u", str(n), n, "base", "", "", "1", found, 2.0, 2)
            for n, found in enumerate(scores)
        ]
        found = summarize(TASKS[task], ("base",), rows)
        return dict(found.conditions["base"].metrics)

    right = [{"correct": 1.0}, {"correct": 1.0}, {"correct": 0.0}]
    assert metrics("LaMP_1", right)["accuracy"] == pytest.approx(2 / 3)
    ratings = metrics("LaMP_3", [{"error": 1.0}, {"error": 3.0}])
    assert ratings["mae"] == pytest.approx(2) and ratings["rmse"] == pytest.approx(math.sqrt(5))

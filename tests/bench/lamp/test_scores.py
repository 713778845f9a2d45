"""Answers count as the protocol has it."""

from __future__ import annotations

import pytest

from localpers.bench.lamp.scores import scores_of
from localpers.bench.lamp.tasks import TASKS


def test_what_is_no_rating_is_as_wrong_as_can_be() -> None:
    task = TASKS["LaMP_3"]
    assert scores_of(task, "great", "2") == {"error": 3}
    assert scores_of(task, "", "5") == {"error": 4}
    assert scores_of(task, "10", "4") == {"error": 3}
    assert scores_of(task, "4", "5") == {"error": 1}


def test_labels_are_right_or_wrong_and_texts_overlap() -> None:
    assert scores_of(TASKS["LaMP_2"], "Comedy", "comedy") == {"correct": 1}
    assert scores_of(TASKS["LaMP_1"], "neither", "[1]") == {"correct": 0}
    found = scores_of(TASKS["LaMP_4"], "the low river", "the river")
    assert found["rouge_1"] == pytest.approx(0.8) and found["rouge_l"] == pytest.approx(0.8)

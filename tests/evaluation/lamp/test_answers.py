"""Answers are found in what models write, and count as the protocol has it."""

from __future__ import annotations

import pytest

from localpers.evaluation.lamp.answers import cleaned, is_complete, prediction_of, scores_of
from localpers.evaluation.lamp.tasks import TASKS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The River\nAn article about", "The River"),
        ('"The River"', "The River"),
        ('**Headline:** "The River: Low"', "The River: Low"),
        ('The title for the article is: "The River"', "The River"),
        ('Here are some headlines:\n\n1. "The River"\n2. Z', "The River"),
        ("Three Tips:\n1. **Edit", "Three Tips"),
        ('"Salt" and "Honey"', '"Salt" and "Honey"'),
        ('"The River', "The River"),
        ("# The River", "The River"),
        ("«La rivière»", "La rivière"),
        ("「川」", "川"),
        ("5 Ways to Read", "5 Ways to Read"),
        ("", ""),
        ('"', ""),
    ],
)
def test_the_answer_without_its_wrapping(text: str, expected: str) -> None:
    assert cleaned(text) == expected


def test_an_answer_is_complete_after_its_first_real_line() -> None:
    assert not is_complete("The River")
    assert not is_complete("\n\nHere is a headline:\n\nThe Ri")
    assert is_complete("Here is a headline:\n\nThe River\n")


@pytest.mark.parametrize(
    ("task", "text", "prediction"),
    [
        ("LaMP_1", "Reference [2] is related", "[2]"),
        ("LaMP_1", "1", "[1]"),
        ("LaMP_1", "neither", "neither"),
        ("LaMP_2", "The tag is Dark Comedy.", "dark comedy"),
        ("LaMP_2", "comedy, sci-fi", "comedy"),
        ("LaMP_2", "horror", "horror"),
        ("LaMP_3", "I would give it 4 out of 5", "4"),
        ("LaMP_3", "10", "10"),
        ("LaMP_3", "3.5", "3.5"),
    ],
)
def test_labels_and_ratings_are_found(task: str, text: str, prediction: str) -> None:
    assert prediction_of(TASKS[task], text, ("sci-fi", "comedy", "dark comedy")) == prediction


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

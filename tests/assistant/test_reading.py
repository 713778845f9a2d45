"""Answers are found in what models write."""

from __future__ import annotations

import pytest

from localpers.assistant.forms import FORMS, Form
from localpers.assistant.forms.form import AnswerKind
from localpers.assistant.forms.reading import first_line, is_complete

REFERENCE = Form("reference", kind=AnswerKind.LABEL, choices=("[1]", "[2]"))
TAG = Form("tag", kind=AnswerKind.LABEL, choices=("sci-fi", "comedy", "dark comedy"))


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
    assert first_line(text) == expected


def test_an_answer_is_complete_after_its_first_real_line() -> None:
    assert not is_complete("The River")
    assert not is_complete("\n\nHere is a headline:\n\nThe Ri")
    assert is_complete("Here is a headline:\n\nThe River\n")


@pytest.mark.parametrize(
    ("form", "text", "answer"),
    [
        (REFERENCE, "Reference [2] is related", "[2]"),
        (REFERENCE, "1", "[1]"),
        (REFERENCE, "neither", "neither"),
        (TAG, "The tag is Dark Comedy.", "dark comedy"),
        (TAG, "comedy, sci-fi", "comedy"),
        (TAG, "horror", "horror"),
        (FORMS["rating"], "I would give it 4 out of 5", "4"),
        (FORMS["rating"], "10", "10"),
        (FORMS["rating"], "3.5", "3.5"),
    ],
)
def test_labels_and_ratings_are_found(form: Form, text: str, answer: str) -> None:
    assert form.read(text) == answer

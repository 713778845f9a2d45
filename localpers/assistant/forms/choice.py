"""One of the labels that the request lists in brackets, or a rating."""

from __future__ import annotations

from localpers.assistant.forms.form import AnswerKind, Form

LABEL = Form(name="label", kind=AnswerKind.LABEL, longest=16)
RATING = Form(
    name="rating",
    instruction="What is the score of the following review on a scale of 1 to 5? just answer with "
    "1, 2, 3, 4, or 5 without further explanation. review: ",
    kind=AnswerKind.RATING,
    longest=16,
    named_by=("score", "rating"),
)

"""A subject line for an email."""

from __future__ import annotations

from collections.abc import Iterator

from localpers.assistant.forms.form import Form
from localpers.assistant.forms.own_text import title_and_body
from localpers.datatypes import Kind, Pair, StoredDocument


def _pairs(document: StoredDocument) -> Iterator[Pair]:
    subject, text = title_and_body(document)
    if subject and document.kind is Kind.EMAIL:
        yield Pair(text, subject, document.date)


SUBJECT = Form(
    name="subject",
    instruction="Write a subject for the following email: ",
    pairs=_pairs,
    label="Subject:",
    longest=32,
    named_by=("subject", "subject line"),
)

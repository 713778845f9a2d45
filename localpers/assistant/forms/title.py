"""A title or headline for a text."""

from __future__ import annotations

from collections.abc import Iterator

from localpers.assistant.forms.form import Form
from localpers.assistant.forms.own_text import title_and_body
from localpers.datatypes import Kind, Pair, StoredDocument


def _pairs(document: StoredDocument) -> Iterator[Pair]:
    title, text = title_and_body(document)
    if title and document.kind in (Kind.NOTE, Kind.ARTICLE):
        yield Pair(text, title, document.date)


TITLE = Form(
    name="title",
    instruction="Write a title for the following text: ",
    pairs=_pairs,
    label="Title:",
    longest=48,
    named_by=("title", "headline"),
)

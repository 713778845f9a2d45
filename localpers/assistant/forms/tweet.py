"""Tweets: one written from a few words, or a text put the way the person would."""

from __future__ import annotations

from collections.abc import Iterator

from localpers.assistant.forms.form import Form
from localpers.assistant.forms.own_text import body
from localpers.datatypes import Kind, Pair, StoredDocument


def _pairs(document: StoredDocument) -> Iterator[Pair]:
    if document.kind in (Kind.POST, Kind.MESSAGE) and (text := body(document)):
        yield Pair(text, "", document.date)


TWEET = Form(
    name="tweet",
    instruction="Write a tweet about the following: ",
    pairs=_pairs,
    listed="Tweets that I have written:",
    longest=96,
    named_by=("tweet",),
)
PARAPHRASE = Form(
    name="paraphrase",
    instruction="Paraphrase the following tweet without any explanation before or after it: ",
    pairs=_pairs,
    listed="Tweets that I have written:",
    longest=96,
    named_by=("paraphrase", "rephrase", "in my words"),
)

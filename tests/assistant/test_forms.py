"""Answers of a form: what the person's documents yield, and what an Assistant makes of it."""

from __future__ import annotations

import pytest

from localpers.assistant.assistant import Assistant
from localpers.assistant.forms import FORMS
from localpers.assistant.notes import NoNotes
from localpers.assistant.options import AnswerOptions
from localpers.datatypes import Block, BlockKind, Kind, Pair, ServedModel, StoredDocument


def document(title: str, *paragraphs: str, kind: Kind = Kind.NOTE) -> StoredDocument:
    text, blocks = "", []
    for paragraph in paragraphs:
        blocks.append(Block(BlockKind.PARAGRAPH, len(text), len(text) + len(paragraph)))
        text += f"{paragraph}\n\n"
    return StoredDocument(
        1, "/n.md", "", title, kind, "2020-01-01", "metadata", "en", "h", text, tuple(blocks)
    )


def test_a_note_yields_its_title() -> None:
    found = list(FORMS["title"].pairs(document("Old mills", "Old mills", "They turn.")))
    assert found == [Pair("They turn.", "Old mills", "2020-01-01")]
    assert not list(FORMS["title"].pairs(document("They turn", "They turn slowly.")))
    assert not list(FORMS["title"].pairs(document("Old", "They turn.", kind=Kind.POST)))


def test_mails_and_posts_yield_their_own_forms() -> None:
    mail = document("Old mills", "They turn.", kind=Kind.EMAIL)
    assert [pair.wanted for pair in FORMS["subject"].pairs(mail)] == ["Old mills"]
    post = document("", "They turn.", kind=Kind.POST)
    assert [pair.given for pair in FORMS["tweet"].pairs(post)] == ["They turn."]


@pytest.mark.parametrize(
    ("request_text", "text"),
    [
        ("title for this text: the mill turns", "the mill turns"),
        ("Write me a headline:\n\nmills: old", "mills: old"),
        ("the mill: an old title", "the mill: an old title"),
        ("the mill turns", "the mill turns"),
    ],
)
def test_the_text_to_work_on_is_found_in_a_request(request_text: str, text: str) -> None:
    assert FORMS["title"].text_of(request_text) == text


def test_a_title_is_one_line_and_has_a_likelihood(served: ServedModel) -> None:
    options = AnswerOptions(form=FORMS["title"], examples=(Pair("the river floods", "Floods"),))
    with Assistant(served, NoNotes()) as assistant:
        answer = assistant.answer("title for this text: the mill turns", options)
        assert "\n" not in answer.text and len(answer.drafts) == 1
        nats, tokens = assistant.form_likelihood("the mill turns", "Old mills", options)
        assert nats > 0 and tokens > 1


def test_a_label_is_one_of_those_listed_in_any_order(served: ServedModel) -> None:
    with Assistant(served, NoNotes()) as assistant:
        first = assistant.answer("Is this [salt, honey, mill]: bees", AnswerOptions(form="label"))
        again = assistant.answer("Is this [salt, honey, mill]: bees", AnswerOptions(form="label"))
    assert first.text in ("salt", "honey", "mill") and first.text == again.text

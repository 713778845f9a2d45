"""Questions that the notes answer: made of the person's prose, with one answer, without a model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from localpers.assistant.assistant import Assistant
from localpers.assistant.options import AnswerOptions
from localpers.datatypes import (
    Block,
    BlockKind,
    Kind,
    RetrievedPassage,
    ServedModel,
    StoredDocument,
)
from localpers.evaluation.questions import _holds, ask_question, make_questions
from localpers.weights.catalog import describe
from tests import tiny_gguf

SENTENCES = (
    "We carried bread and salt over the old pass to Zermatt.",
    "The ferry made three trips a day when the bridge was shut in 1894.",
    "昨日の会議では新しい橋の設計について話し、担当は田中さんに決まった。",
)


class EveryWordIsRare:
    """A Lexicon in which a word tells as much as it is long."""

    def terms(self, text: str) -> list[str]:
        return text.casefold().split()

    def topic_terms(self, text: str) -> frozenset[str]:
        return frozenset(self.terms(text))

    def idf(self, terms: Iterable[str]) -> float:
        return sum(min(1.0, len(term) / 8) for term in terms)

    @property
    def rarest(self) -> float:
        return 1.0


def document(number: int, text: str, kind: BlockKind = BlockKind.PARAGRAPH) -> StoredDocument:
    return StoredDocument(
        id=number,
        path=f"/{number}.md",
        part="",
        title=f"Note {number}",
        kind=Kind.NOTE,
        date="2024-01-01",
        date_from="metadata",
        language="",
        content_hash=f"hash{number}",
        text=text,
        blocks=(Block(kind, 0, len(text)),),
    )


def test_a_question_lacks_the_answer_the_title_and_the_rarest_words() -> None:
    documents = [document(n, sentence) for n, sentence in enumerate(SENTENCES)]
    found = {q.document: q for q in make_questions(documents, EveryWordIsRare(), 9)}
    assert found[0].term == "Zermatt" and found[1].term == "1894"
    for number, question in found.items():
        assert question.sentence == SENTENCES[number] and question.content_hash == f"hash{number}"
        assert question.sentence.endswith(question.rest)
        assert question.rest.startswith(question.term) and question.term not in question.text
        assert "Note" not in question.text
    assert "carried" not in found[0].text
    assert "salt" in found[0].text


def test_questions_are_the_same_again_and_as_many_as_wanted() -> None:
    documents = [document(n, SENTENCES[n % 2]) for n in range(20)]
    some = make_questions(documents, EveryWordIsRare(), 5, seed=3)
    assert len(some) == len({question.document for question in some}) == 5
    assert make_questions(documents[::-1], EveryWordIsRare(), 5, seed=3) == some
    assert make_questions(documents, EveryWordIsRare(), 5, seed=4) != some


@pytest.mark.parametrize(
    "text",
    [
        "Run `pip install` and then open the settings of the terminal in Berlin.",
        "All of it stands at https://example.org and is kept there by Mr Zimmermann.",
        "A row with [a link](x.md) that leads to the page about Zimmermann.",
        "Too short for Zimmermann.",
    ],
)
def test_code_addresses_and_stubs_are_not_asked_for(text: str) -> None:
    assert make_questions([document(1, text)], EveryWordIsRare(), 1) == ()
    assert make_questions([document(1, SENTENCES[0], BlockKind.CODE)], EveryWordIsRare(), 1) == ()
    assert make_questions([document(1, SENTENCES[0], BlockKind.QUOTE)], EveryWordIsRare(), 1) == ()


def test_an_answer_holds_whole_words() -> None:
    assert _holds("It was shut in 1894 [1].", "1894") and not _holds("in 18945", "1894")
    assert _holds("to ZERMATT.", "Zermatt") and _holds("担当は田中さん", "田中さん")


class OneNote:
    """Notes that always find the same passage."""

    lexicon = EveryWordIsRare()

    def __init__(self, sentence: str) -> None:
        self._passage = RetrievedPassage(1, 1.0, 1, "/1.md", "Note 1", "", 0, 66, sentence)

    def find(self, query: str, k: int, retriever: str) -> list[RetrievedPassage]:
        return [self._passage]

    def documents(self, ids: Iterable[int]) -> dict[int, StoredDocument]:
        return {}

    def closeness(self, query: str, ids: Sequence[int]) -> None:
        pass

    def similarities(self, query: str, texts: Sequence[str]) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Assistant]:
    model = describe(tiny_gguf.build_tiny_model(tmp_path / "llama.gguf", "llama"))
    with Assistant(ServedModel(model, model.path), OneNote(SENTENCES[1])) as opened:
        yield opened


def test_asking_scores_the_true_words_the_same_each_time(assistant: Assistant) -> None:
    (question,) = make_questions([document(1, SENTENCES[1])], EveryWordIsRare(), 1)
    first = ask_question(assistant, question, AnswerOptions())
    bare = ask_question(assistant, question, AnswerOptions(k=0))
    again = ask_question(assistant, question, AnswerOptions())
    assert first == again and first.retrieved and not bare.retrieved and not bare.cited
    assert first.nll != bare.nll and math.isfinite(first.nll) and first.nll > 0


def test_only_the_words_from_the_term_on_are_scored(assistant: Assistant) -> None:
    (question,) = make_questions([document(1, SENTENCES[1])], EveryWordIsRare(), 1)
    options = AnswerOptions(k=0)
    score = ask_question(assistant, question, options)
    assistant.reset()
    logs = assistant.answer_likelihood(question.text, question.sentence, options)
    shares = [-float(logs[first:].mean()) for first in range(1, len(logs))]
    assert any(score.nll == pytest.approx(share, rel=1e-4) for share in shares)


def test_a_sentence_that_does_not_fit_the_window_is_not_called_certain(
    assistant: Assistant,
) -> None:
    (question,) = make_questions([document(1, SENTENCES[1])], EveryWordIsRare(), 1)
    more = " and the ferry made three trips" * 4000
    long = replace(question, sentence=question.sentence + more, rest=question.rest + more)
    assert math.isnan(ask_question(assistant, long, AnswerOptions(k=0)).nll)

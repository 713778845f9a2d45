"""The read flow over given passages: text, sources, timings, threads and conversations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from localpers import Answer, AnswerOptions, Assistant, Message
from localpers.assistant.conversation import Conversation
from localpers.assistant.notes import Closeness
from localpers.datatypes import (
    Block,
    BlockKind,
    Kind,
    RetrievedPassage,
    ServedModel,
    StoredDocument,
)
from localpers.errors import LocalpersError
from localpers.inference.engine import Engine, Finish
from localpers.prompts import build_messages

PassageMaker = Callable[..., RetrievedPassage]
REQUEST = "What did we carry over the pass?"


class Given:
    """Notes that always find the same passages."""

    lexicon = None

    def __init__(self, passages: Sequence[RetrievedPassage] = ()) -> None:
        self.passages = list(passages)
        self.queries: list[str] = []

    def find(self, query: str, k: int, retriever: str) -> list[RetrievedPassage]:
        self.queries.append(query)
        return self.passages[:k]

    def documents(self, ids: Iterable[int]) -> dict[int, StoredDocument]:
        return {
            passage.document: StoredDocument(
                id=passage.document,
                path=passage.path,
                part="",
                title=passage.title,
                kind=Kind.NOTE,
                date=passage.date,
                date_from="metadata",
                language="en",
                content_hash=str(passage.document),
                text=passage.text,
                blocks=(Block(BlockKind.PARAGRAPH, 0, len(passage.text)),),
            )
            for passage in self.passages
            if passage.document in set(ids)
        }

    def closeness(self, query: str, ids: Sequence[int]) -> dict[int, Closeness]:
        texts = {passage.document: passage.text for passage in self.passages}
        found = self.similarities(query, [texts[id] for id in ids]) or []
        return {id: (((0, len(texts[id])), cosine),) for id, cosine in zip(ids, found, strict=True)}

    def similarities(self, query: str, texts: Sequence[str]) -> Sequence[float] | None:
        words = set(query.casefold().split())
        return [len(words & set(text.casefold().split())) / len(words) for text in texts]

    def close(self) -> None:
        pass


def test_pieces_make_the_text_and_the_sources_are_the_passages(
    served: ServedModel, passage: PassageMaker
) -> None:
    notes = Given([passage("Bread, salt and two onions.", 1), passage("The river was low.", 2)])
    with Assistant(served, notes) as assistant:
        *pieces, answer = assistant.stream(REQUEST, AnswerOptions(max_tokens=20, quote=False))
        assert isinstance(answer, Answer)
        assert "".join(str(piece) for piece in pieces) == answer.text
        assert [source.passage for source in answer.sources] == notes.passages
        assert [source.number for source in answer.sources] == [1, 2]
        expected = assistant.engine.tokenizer.prompt_ids(build_messages(REQUEST, notes.passages))
    assert answer.prompt_tokens == len(expected)
    assert answer.completion_tokens <= 20
    assert 0 < answer.timings.first_token <= answer.timings.total
    if answer.completion_tokens == 20:
        assert answer.finish is Finish.LENGTH


def test_the_last_passages_are_dropped_never_the_question(
    served: ServedModel, passage: PassageMaker
) -> None:
    notes = Given([passage("It rained all day. " * 12, rank) for rank in range(1, 9)])
    with Assistant(served, notes, n_ctx=1024) as assistant:
        answer = assistant.answer(REQUEST, AnswerOptions(k=8, max_tokens=8, quote=False))
    kept = [source.passage for source in answer.sources]
    assert 0 < len(kept) < answer.found == 8
    assert kept == notes.passages[: len(kept)]
    assert answer.prompt_tokens + 8 <= 1024


def test_a_question_that_fits_alone_is_answered_without_passages(
    served: ServedModel, passage: PassageMaker
) -> None:
    notes = Given([passage("rain " * 900)])
    with Assistant(served, notes, n_ctx=512) as assistant:
        answer = assistant.answer(REQUEST, AnswerOptions(max_tokens=8, quote=False))
    assert answer.found == 1
    assert not answer.sources


def test_a_question_that_does_not_fit_is_refused_in_one_line(served: ServedModel) -> None:
    with (
        Assistant(served, Given(), n_ctx=512) as assistant,
        pytest.raises(LocalpersError, match="shorten") as caught,
    ):
        assistant.answer("why " * 800, AnswerOptions(max_tokens=8, quote=False))
    assert "\n" not in str(caught.value)
    assert "why" not in str(caught.value)


def test_abstaining_loads_no_model(served: ServedModel) -> None:
    def unavailable() -> ServedModel:
        raise AssertionError("the model was needed")

    assistant = Assistant(unavailable, Given())
    found = assistant.search(REQUEST)
    assert found == []
    with Assistant(served, Given()) as assistant:
        answer = assistant.answer(REQUEST, AnswerOptions(abstain=True))
    assert answer == Answer("", answered=False, timings=answer.timings)


def test_threads_get_the_answers_that_one_thread_gets(
    served: ServedModel, passage: PassageMaker
) -> None:
    requests = [f"{REQUEST} {number}" for number in range(6)]
    options = AnswerOptions(max_tokens=12, quote=False)
    with Assistant(served, Given([passage("Bread and salt.")])) as assistant:

        def ask(request: str) -> str:
            return assistant.answer(request, options).text

        alone = [ask(request) for request in requests]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(ask, requests))
    assert together == alone


def test_a_conversation_keeps_the_tokens_of_its_earlier_turns(
    engine: Engine, passage: PassageMaker
) -> None:
    conversation = Conversation()
    first = (Message("user", "What did we eat?"),)
    before, _ = conversation.fit(engine.tokenizer, first, [passage("Bread.")], 2048, 64)
    later = (*first, Message("assistant", "Bread [1]."), Message("user", "And to drink?"))
    after, _ = conversation.fit(engine.tokenizer, later, [passage("Water.")], 2048, 64)
    assert after[: len(before)] == before


def test_options_that_contradict_each_other_are_refused(served: ServedModel) -> None:
    with Assistant(served, Given()) as assistant:
        with pytest.raises(LocalpersError, match="--contrast"):
            assistant.answer(REQUEST, AnswerOptions(contrast=0.5))
        with pytest.raises(LocalpersError, match="--abstain"):
            assistant.answer(REQUEST, AnswerOptions(k=0, abstain=True))
        with pytest.raises(LocalpersError, match="reranker"):
            assistant.search(REQUEST, reranker="oracle")


def test_a_question_is_answered_by_the_words_of_the_note(
    served: ServedModel, passage: PassageMaker
) -> None:
    notes = Given(
        [
            passage("The river was low.", 1, "River"),
            passage(
                "What we did carry over the pass: bread, salt and two onions.", 2, "Provisions"
            ),
        ]
    )
    with Assistant(served, notes) as assistant:
        answer = assistant.answer(REQUEST)
    assert "bread, salt and two onions" in answer.text
    assert [s.passage.title for s in answer.sources if s.cited] == ["Provisions"]
    assert answer.answered


def test_a_question_that_no_note_answers_is_refused(
    served: ServedModel, passage: PassageMaker
) -> None:
    with Assistant(served, Given([passage("Bread and salt.", 1, "Provisions")])) as assistant:
        answer = assistant.answer("Which glacier is longest?")
    assert not answer.answered
    assert "Provisions [1]" in answer.text

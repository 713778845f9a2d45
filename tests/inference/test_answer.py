"""From request and passages to the answer: what is left out, what is counted, what is marked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from localpers.datatypes import RetrievedPassage, ServedModel
from localpers.errors import LocalpersError
from localpers.inference.answer import AnswerResult, answer, fit_prompt
from localpers.inference.engine import Engine, Finish
from localpers.prompts import build_messages

PassageMaker = Callable[..., RetrievedPassage]
REQUEST = "What did we carry over the pass?"


def test_pieces_make_the_text_and_the_sources_are_the_passages(
    engine: Engine, passage: PassageMaker
) -> None:
    passages = [passage("Bread, salt and two onions.", 1), passage("The river was low.", 2)]
    *pieces, result = answer(engine, REQUEST, passages, None, max_tokens=20)
    assert isinstance(result, AnswerResult)
    assert "".join(str(piece) for piece in pieces) == result.text
    assert [source.passage for source in result.sources] == passages
    assert [source.number for source in result.sources] == [1, 2]
    expected = engine.tokenizer.prompt_ids(build_messages(REQUEST, passages))
    assert result.prompt_tokens == len(expected)
    assert result.completion_tokens <= 20
    assert 0 < result.first_token_seconds <= result.seconds
    if result.completion_tokens == 20:
        assert result.finish is Finish.LENGTH


def test_the_last_passages_are_left_out_never_the_question(
    served: ServedModel, passage: PassageMaker
) -> None:
    passages = [passage("It rained all day. " * 12, rank) for rank in range(1, 9)]
    with Engine.open(served, n_ctx=1024) as engine:
        *_, result = answer(engine, REQUEST, passages, None, max_tokens=8)
        assert isinstance(result, AnswerResult)
        kept = [source.passage for source in result.sources]
        assert 0 < len(kept) < len(passages)
        assert kept == passages[: len(kept)]
        assert result.prompt_tokens + 8 <= 1024


def test_a_question_that_fits_alone_is_answered_without_passages(
    served: ServedModel, passage: PassageMaker
) -> None:
    with Engine.open(served, n_ctx=512) as engine:
        ids, given = fit_prompt(engine.tokenizer, REQUEST, [passage("rain " * 900)], 512, 64)
        assert given == ()
        assert ids == engine.tokenizer.prompt_ids(build_messages(REQUEST))


def test_a_question_that_does_not_fit_is_refused_in_one_line(served: ServedModel) -> None:
    with (
        Engine.open(served, n_ctx=512) as engine,
        pytest.raises(LocalpersError, match="shorten") as caught,
    ):
        list(answer(engine, "why " * 800, [], None, max_tokens=8))
    assert "\n" not in str(caught.value) and "why" not in str(caught.value)

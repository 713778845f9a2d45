"""Prompts and training pairs: nothing of an answer in a query, and room for what must be there."""

from __future__ import annotations

import pytest

from localpers.evaluation.lamp.data import Item, User
from localpers.evaluation.lamp.prompts import Form, Prompter
from localpers.evaluation.lamp.retrieval import Retrieval
from localpers.evaluation.lamp.tasks import TASKS
from localpers.weights.tokenizer import Tokenizer


def prompter(task: str, tokenizer: Tokenizer, room: int = 1000) -> Prompter:
    return Prompter(TASKS[task], TASKS[task].request, tokenizer, Form(), room)


def test_what_is_to_be_written_is_not_looked_for(tokenizer: Tokenizer) -> None:
    tweets = (
        "the river is low and bees sleep over honey jars in october",
        "old mill wheels turn",
        "honey jars in october",
        "the river floods",
    )
    profile = tuple(Item(tweet, "") for tweet in tweets)
    pair = prompter("LaMP_7", tokenizer).pair(0, profile[0], seed=0)
    assert pair is not None
    assert f"{pair.query} {pair.answer}" == tweets[0] and pair.input.endswith(pair.query)
    found = Retrieval(User("a", profile, ()), None, 0).neighbours(0, pair.query)
    assert next(found) == 3


def test_the_whole_text_is_looked_for_where_it_is_given(tokenizer: Tokenizer) -> None:
    item = Item("salt bread " * 200, "Bread")
    pair = prompter("LaMP_4", tokenizer).pair(0, item, seed=0)
    assert pair is not None and pair.query == item.given and len(pair.input) < len(item.given)


@pytest.mark.parametrize("paper", [False, True])
def test_an_input_too_long_loses_the_end_of_its_query_alone(
    tokenizer: Tokenizer, paper: bool
) -> None:
    request = TASKS["LaMP_4"].request
    items = [Item("salt bread", "Bread")]
    room = 500 if paper else 100
    built = prompter("LaMP_4", tokenizer, room).messages(
        request + "river mill " * 600, items, paper=paper
    )
    assert len(tokenizer.prompt_ids(built)) <= room
    (message,) = built
    assert request + "river mill" in message.content
    assert ("salt" in message.content) is paper


def test_of_a_question_without_its_text_the_instruction_is_left(tokenizer: Tokenizer) -> None:
    request = TASKS["LaMP_4"].request
    (message,) = prompter("LaMP_4", tokenizer).without_text(request + "river mill")
    assert message.content == f"{request}..."


@pytest.mark.parametrize("task", TASKS)
def test_no_input_is_too_long(tokenizer: Tokenizer, task: str) -> None:
    for text in ("x" * 5000, TASKS[task].request * 200, 'a "b", [1]: "c c" [2]: "d"' * 300):
        for paper in (False, True):
            built = prompter(task, tokenizer, 200).messages(text, (), paper=paper)
            assert len(tokenizer.prompt_ids(built)) <= 200


def test_the_label_is_that_of_the_protocol_s_own_words(tokenizer: Tokenizer) -> None:
    assert prompter("LaMP_4", tokenizer).label == "Title:"
    german = "Schreibe eine Überschrift für den folgenden Artikel: "
    assert Prompter(TASKS["LaMP_4"], german, tokenizer, Form(), 1000).label == ""
    assert prompter("LaMP_7", tokenizer).label == ""

"""Few-shot prompts: the person's own pairs before a request, and room for what must be there."""

from __future__ import annotations

from pathlib import Path

import pytest

from localpers.assistant.fewshot import few_shot
from localpers.assistant.forms import FORMS
from localpers.datatypes import Pair
from localpers.weights.tokenizer import Tokenizer

TITLE, TWEET = FORMS["title"], FORMS["tweet"]
PAIRS = [Pair("salt bread from the mill", "Bread"), Pair("the river floods", "Floods")]


@pytest.fixture(scope="module")
def tokenizer(tiny: Path) -> Tokenizer:
    return Tokenizer.open(tiny)


def test_pairs_are_exchanges_with_the_best_one_last(tokenizer: Tokenizer) -> None:
    built = few_shot(TITLE, tokenizer, "the mill turns", PAIRS, 1000)
    assert [message.role for message in built] == ["user", "assistant"] * 2 + ["user"]
    assert built[3].content == "Bread"
    assert built[-1].content == f"{TITLE.instruction}the mill turns"


def test_texts_alone_are_listed(tokenizer: Tokenizer) -> None:
    (message,) = few_shot(TWEET, tokenizer, "mills", [Pair("bees sleep", "")], 1000)
    assert message.content.startswith(TWEET.listed) and "- bees sleep\n" in message.content


def test_examples_give_way_before_the_text_does(tokenizer: Tokenizer) -> None:
    text = "river mill " * 600
    built = few_shot(TITLE, tokenizer, text, PAIRS, 100)
    assert len(tokenizer.prompt_ids(built)) <= 100
    (message,) = built
    assert message.content.startswith(f"{TITLE.instruction}river mill")


@pytest.mark.parametrize("text", ["x" * 5000, TITLE.instruction * 200])
def test_no_text_is_too_long(tokenizer: Tokenizer, text: str) -> None:
    built = few_shot(TITLE, tokenizer, text, (), 200)
    assert len(tokenizer.prompt_ids(built)) <= 200

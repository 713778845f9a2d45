"""Choosing by likelihood, and texts in other words."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from localpers.datatypes import Message, ModelInfo, ServedModel
from localpers.evaluation.lamp.data import Item, User
from localpers.evaluation.lamp.labelling import likeliest, nats_of, preferences
from localpers.evaluation.lamp.restating import restated
from localpers.evaluation.metrics import rouge_1
from localpers.inference.engine import Engine

PROMPT = (Message("user", "the river mill summer"),)
LABELS = ("bread", "salt honey", "the old mill on the river")


@pytest.fixture
def engine(base: ModelInfo) -> Iterator[Engine]:
    with Engine.open(ServedModel(base, base.path)) as opened:
        yield opened


def log_p(engine: Engine, answer: str) -> float:
    ids = engine.tokenizer.example_ids((*PROMPT, Message("assistant", answer)))
    return float(engine.log_likelihood(ids.prompt, ids.completion).sum())


def test_the_likeliest_label_is_taken_in_any_order(engine: Engine) -> None:
    best = max(LABELS, key=lambda label: log_p(engine, label))
    assert likeliest(engine, PROMPT, LABELS) == best
    assert likeliest(engine, PROMPT, LABELS[::-1]) == best


def test_nobody_in_particular_prefers_nothing(engine: Engine) -> None:
    assert preferences(engine, PROMPT, PROMPT, LABELS) == pytest.approx([0, 0, 0], abs=1e-3)
    assert nats_of([0.0, 0.0], 1) == pytest.approx(math.log(2))
    assert nats_of([2.0, 1.0], 0) < nats_of([2.0, 1.0], 1)


def test_what_says_something_else_is_no_other_wording(engine: Engine) -> None:
    texts = ("the river floods the old mill", "honey jars in october", "salt bread")
    user = User("a", tuple(Item(text, "", f"2020-01-0{n}") for n, text in enumerate(texts)), ())
    found = restated(engine, "Say otherwise: ", user, seconds=30, seed=0)
    assert found is not None
    # A model of random weights has no words of its own for anything.
    for item in found.profile:
        assert item.wanted in texts and item.given != item.wanted
        assert rouge_1(item.given, item.wanted) > 0
    late = restated(engine, "", user, seconds=-1, seed=0)
    assert late is not None and late.profile == ()
    assert restated(engine, "", None, seconds=1, seed=0) is None

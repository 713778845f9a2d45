"""A sentence gets the number of the passage that holds its words, and only of such a one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localpers.assistant.attribution import Attributor
from localpers.datatypes import RetrievedPassage
from localpers.profile import Profile
from localpers.retrieval.lexicon import Lexicon
from localpers.store import Store

PassageMaker = Callable[..., RetrievedPassage]
NOTES = (
    "The ferry made three trips a day while the bridge was closed for repairs.",
    "Bread, salt, two onions and a jar of honey: what we carried over the pass.",
    "The garden floods because the drain under the wall is blocked.",
    "The log says what to do with it, and here is how the command is used.",
)


@pytest.fixture
def lexicon(tmp_path: Path, cli: Callable[..., Any]) -> Any:
    for number, note in enumerate(NOTES):
        (tmp_path / f"{number}.txt").write_text(note)
    assert cli("ingest", tmp_path).code == 0
    with Store.open(Profile.open()) as store:
        yield Lexicon(store)


def test_the_passage_that_holds_the_words(lexicon: Lexicon, passage: PassageMaker) -> None:
    attribute = Attributor([passage(NOTES[0]), passage(NOTES[1], 2)], lexicon)
    assert attribute("While the bridge was closed, the ferry was making three trips") == 1
    assert attribute("We carried bread, onions and honey over the pass") == 2
    assert attribute(NOTES[2]) is None
    assert attribute("Zeppelins cross the stormy Atlantic with seventy passengers") is None


def test_the_title_counts(lexicon: Lexicon, passage: PassageMaker) -> None:
    attribute = Attributor([passage("Every Monday.", title="Watering tomato plants")], lexicon)
    assert attribute("Watering the tomato plants: every Monday") == 1


def test_words_that_stand_everywhere_tell_nothing(lexicon: Lexicon, passage: PassageMaker) -> None:
    attribute = Attributor([passage(NOTES[0]), passage(NOTES[3], 2)], lexicon)
    assert attribute("The") is None
    assert attribute("What is the") is None
    assert attribute("") is None


def test_nothing_given_nothing_attributed(lexicon: Lexicon, passage: PassageMaker) -> None:
    assert Attributor([], lexicon)(NOTES[0]) is None
    assert Attributor([passage(NOTES[0])], None)(NOTES[0]) is None

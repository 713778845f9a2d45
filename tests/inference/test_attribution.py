"""A sentence gets the number of the passage that holds its words, and only of such a one."""

from __future__ import annotations

from collections.abc import Callable

from localpers.datatypes import RetrievedPassage
from localpers.inference.attribution import Attributor
from localpers.retrieval.analysis import analyse

PassageMaker = Callable[..., RetrievedPassage]


def terms(text: str) -> list[str]:
    return analyse(text, "en")


def test_the_passage_that_holds_the_words(passage: PassageMaker) -> None:
    ferry = passage("The ferry made three trips a day while the bridge was closed for repairs.")
    bread = passage("Bread, salt, two onions and a jar of honey we carried over the pass.", 2)
    attribute = Attributor([ferry, bread], terms)
    assert attribute("While the bridge was closed, the ferry was making three trips") == 1
    assert attribute("We carried bread, onions and honey over the pass") == 2
    assert attribute("The garden floods because the drain under the wall is blocked") is None


def test_the_title_counts(passage: PassageMaker) -> None:
    attribute = Attributor([passage("Every Monday.", title="Watering the tomato plants")], terms)
    assert attribute("Watering the tomato plants: every Monday") == 1


def test_too_few_words_tell_nothing(passage: PassageMaker) -> None:
    attribute = Attributor([passage("The ferry made three trips.")], terms)
    assert attribute("The ferry") is None


def test_nothing_given_nothing_attributed() -> None:
    assert Attributor([], terms)("The ferry made three trips a day in October") is None

"""Names of conditions are read as reports print them."""

from __future__ import annotations

import pytest

from localpers.errors import LocalpersError
from localpers.evaluation.conditions import Condition, parse_conditions

NAMES = "base,rag,rag:recency,rag:mismatched,rag:random,peft,rag+peft,rag+peft:bm25"


def test_names_come_back_as_they_were_given() -> None:
    assert ",".join(condition.name for condition in parse_conditions(NAMES)) == NAMES


def test_a_condition_named_twice_is_one_and_other_forms_are_the_callers() -> None:
    assert parse_conditions("rag,rag:auto") == (Condition("auto"),)
    assert Condition.parse("rag:paper", ("paper",)).passages == "paper"


@pytest.mark.parametrize("name", ["raag", "peft:recency", "rag:paper", "", "base:bm25"])
def test_an_unknown_one_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(LocalpersError, match="recency"):
        Condition.parse(name)

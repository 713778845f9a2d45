"""Names of conditions are read as reports print them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localpers.errors import LocalpersError
from localpers.evaluation.conditions import CONTROLS, RETRIEVERS, Condition, parse_conditions

NAMES = (
    "base,rag,rag:recency,rag:mismatched,rag:random,peft,rag+peft,rag+peft:bm25,"
    "rag+peft:dense,k=1,contrast=0.5,rag:reranker=likelihood,k=7,peft:run=20240102-030405-0a1b"
)


def with_notes(adapter: bool) -> st.SearchStrategy[Condition]:
    tuned = {
        "contrast": st.floats(0.01, 2),
        "run": st.none() | st.from_regex(r"[0-9a-f-]+", fullmatch=True),
    }
    return st.builds(
        Condition,
        st.sampled_from((*RETRIEVERS, *CONTROLS)),
        st.just(adapter),
        st.sampled_from((None, "likelihood")),
        st.none() | st.integers(1, 99),
        **(tuned if adapter else {}),
    )


CONDITIONS = st.one_of(
    st.sampled_from([Condition(), Condition(adapter=True)]),
    st.booleans().flatmap(with_notes),
    st.builds(Condition, adapter=st.just(True), contrast=st.floats(0.01, 2)),
)


@given(st.lists(CONDITIONS, min_size=1, max_size=5, unique=True))
def test_every_condition_has_a_name_that_is_parsed_to_it(conditions: list[Condition]) -> None:
    names = ",".join(condition.name for condition in conditions)
    assert parse_conditions(names) == tuple(conditions)


def test_names_come_back_as_they_were_given() -> None:
    assert ",".join(condition.name for condition in parse_conditions(NAMES)) == NAMES
    assert len(parse_conditions(NAMES)) == 11


def test_a_condition_named_twice_is_one_and_callers_may_add_retrievers() -> None:
    assert parse_conditions("rag,rag:auto") == (Condition("auto"),)
    assert Condition.parse("rag:paper", ("paper",)).retriever == "paper"


@pytest.mark.parametrize("name", ["raag", "peft:recency", "rag:paper", "", "base:bm25"])
def test_an_unknown_condition_is_refused_and_the_known_ones_named(name: str) -> None:
    with pytest.raises(LocalpersError, match="recency"):
        Condition.parse(name)


@pytest.mark.parametrize(
    "name", ["rag:k=0", "rag:k=x", "peft:k=3", "rag:contrast=1", "peft:contrast=3", "rag:run=x"]
)
def test_a_setting_that_does_not_apply_is_refused(name: str) -> None:
    with pytest.raises(LocalpersError, match="does not fit"):
        Condition.parse(name)

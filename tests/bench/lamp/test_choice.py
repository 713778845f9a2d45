"""Which condition serves a person, from the values that each had on what was held out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from localpers.bench.lamp.choice import CANDIDATES, USUAL, Candidate, choose

RAG, BASE, PEFT = Candidate("rag"), Candidate("base"), Candidate("peft")


def test_the_usual_one_serves_unless_another_is_clearly_better() -> None:
    usual = [0.2, 0.3, 0.25, 0.2]
    measured = {RAG: [0.1] * 4, BASE: [0.1] * 4, PEFT: [0.5, 0.0, 0.3, 0.2], USUAL: usual}
    assert choose(measured) == USUAL
    assert choose(measured | {BASE: [0.4, 0.5, 0.4, 0.4]}) == BASE


def test_without_an_adapter_retrieval_serves() -> None:
    assert choose({}) == RAG
    assert choose({RAG: [0.2] * 4, BASE: [0.2, 0.1, 0.2, 0.2]}) == RAG
    assert choose({RAG: [0.2] * 4, BASE: [0.3] * 4}) == BASE


@given(st.lists(st.lists(st.floats(-4, 1), min_size=3, max_size=3), min_size=5, max_size=5))
def test_what_is_chosen_was_not_worse_than_the_usual_one(values: list[list[float]]) -> None:
    measured = dict(zip(CANDIDATES, values, strict=True))
    assert sum(measured[choose(measured)]) >= sum(measured[USUAL]) - 1e-9

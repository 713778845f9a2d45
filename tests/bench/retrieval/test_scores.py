"""Scores against values computed by hand, and what must hold of any ranking."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localpers.bench.retrieval.collection import Query
from localpers.bench.retrieval.scores import Ranking, scores


def score(ids: list[str], judged: dict[str, int]) -> dict[str, float]:
    (found,) = scores([Query("q", "", judged)], [Ranking(ids, 0.0)])
    return found


def test_by_hand() -> None:
    judged = {"a": 2, "b": 1, "c": 0, "d": 1}
    gained = 1 / math.log2(3) + 2 / math.log2(5)
    ideal = 2 + 1 / math.log2(3) + 1 / math.log2(4)
    found = score(["x", "b", "c", "a"], judged)
    assert found["ndcg@10"] == pytest.approx(gained / ideal)
    assert found["recall@100"] == pytest.approx(2 / 3) and found["mrr"] == 0.5
    assert set(score(["c"], {"c": 0}).values()) == set(score([], judged).values()) == {0.0}


judgements = st.dictionaries(st.sampled_from("abcdefghij"), st.integers(-1, 3), min_size=1)
orders = st.permutations("abcdefghij")


@given(judgements, orders)
def test_all_are_fractions_and_the_ideal_order_is_1(
    judged: dict[str, int], order: list[str]
) -> None:
    found = score(order, judged)
    assert all(0 <= value <= 1 + 1e-9 for value in found.values())
    best = score(sorted(order, key=lambda id: -judged.get(id, 0)), judged)
    assert set(best.values()) == {float(any(grade > 0 for grade in judged.values()))}

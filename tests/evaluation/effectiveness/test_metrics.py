"""Metrics against values computed by hand, and what must hold of any ranking."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localpers.evaluation.effectiveness.metrics import ndcg, recall, reciprocal_rank, scores_of


def test_by_hand() -> None:
    judged = {"a": 2, "b": 1, "c": 0, "d": 1}
    ranking = ["x", "b", "c", "a"]
    gained = 1 / math.log2(3) + 2 / math.log2(5)
    ideal = 2 + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg(ranking, judged, 10) == pytest.approx(gained / ideal)
    assert recall(ranking, judged, 100) == pytest.approx(2 / 3)
    assert recall(ranking, judged, 2) == pytest.approx(1 / 3)
    assert reciprocal_rank(ranking, judged, 100) == 0.5
    assert reciprocal_rank(ranking, judged, 1) == 0.0
    assert set(scores_of(["c"], {"c": 0}).values()) == {0.0}


judgements = st.dictionaries(st.sampled_from("abcdefghij"), st.integers(0, 3), min_size=1)
orders = st.permutations("abcdefghij")


@given(judgements, orders)
def test_all_are_fractions_and_the_ideal_order_is_1(
    judged: dict[str, int], order: list[str]
) -> None:
    assert all(0 <= value <= 1 + 1e-12 for value in scores_of(order, judged).values())
    ideal = sorted(order, key=lambda id: -judged.get(id, 0))
    best = scores_of(ideal, judged)
    found = float(any(judged.values()))
    assert best["ndcg@10"] == pytest.approx(found)
    assert best["mrr"] == found and best["recall@100"] == found


@given(judgements, orders, st.integers(0, 8))
def test_moving_a_better_one_up_never_costs(
    judged: dict[str, int], order: list[str], at: int
) -> None:
    swapped = [*order[:at], order[at + 1], order[at], *order[at + 2 :]]
    if judged.get(order[at + 1], 0) >= judged.get(order[at], 0):
        before, after = scores_of(order, judged), scores_of(swapped, judged)
        assert after["ndcg@10"] >= before["ndcg@10"] - 1e-12

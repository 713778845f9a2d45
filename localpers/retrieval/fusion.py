"""Reciprocal rank fusion of rankings (Cormack, Clarke & Büttcher, SIGIR 2009), with weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

K = 5
"""How little the first ranks stand out. With the paper's 60, made for dozens of rankings of equal
worth, a middling place in both of two lists beats the first place in one."""


def fuse(rankings: Iterable[tuple[Sequence[int], float]]) -> list[tuple[int, float]]:
    """Ids by their sum of weight / (K + rank) over the rankings (ids, weight) that hold them, best
    first, ties by id.

    Ranks count from 1. Scores of the rankings play no part, so that they need no common scale.
    """
    scores: dict[int, float] = defaultdict(float)
    for ranking, weight in rankings:
        for rank, id in enumerate(ranking, 1):
            scores[id] += weight / (K + rank)
    return sorted(scores.items(), key=lambda hit: (-hit[1], hit[0]))

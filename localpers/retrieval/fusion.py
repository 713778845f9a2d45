"""Reciprocal rank fusion of rankings (Cormack, Clarke & Büttcher, SIGIR 2009)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

K = 60
"""The paper's constant: how little the first ranks stand out."""


def fuse(rankings: Iterable[Sequence[int]]) -> list[tuple[int, float]]:
    """Ids by their sum of 1 / (K + rank) over the rankings that hold them, best first, ties by id.

    Ranks count from 1. Scores of the rankings play no part, so that they need no common scale.
    """
    scores: dict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, id in enumerate(ranking, 1):
            scores[id] += 1 / (K + rank)
    return sorted(scores.items(), key=lambda hit: (-hit[1], hit[0]))

"""Reranking: a second, slower judge looks at the first hits again. Any judge fits the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from localpers.datatypes import RetrievedPassage

DEPTH = 20
"""Hits that are judged; those after them keep their order."""


class Reranker(Protocol):
    def scores(self, query: str, passages: Sequence[RetrievedPassage]) -> Sequence[float]:
        """How well each passage answers the query; higher is better."""


def rerank(
    reranker: Reranker, query: str, hits: Sequence[RetrievedPassage], k: int
) -> list[RetrievedPassage]:
    """The best k of `hits`, the first DEPTH of them reordered by the reranker's scores, which they
    carry; of equals, the one that stood first.
    """
    judged = hits[:DEPTH]
    scores = reranker.scores(query, judged)
    order = sorted(range(len(judged)), key=lambda at: (-scores[at], at))
    ranked = [replace(judged[at], score=float(scores[at])) for at in order]
    ranked.extend(hits[DEPTH:])
    return [replace(hit, rank=rank) for rank, hit in enumerate(ranked[:k], 1)]

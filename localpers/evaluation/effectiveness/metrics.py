"""What a ranking is worth against judgements, as trec_eval computes it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

NDCG_DEPTH = 10
RECALL_DEPTH = 100
DEPTH = RECALL_DEPTH
"""Ranks that are looked at, by the reciprocal rank too."""
NAMES = ("ndcg@10", "recall@100", "mrr")


def scores_of(ranking: Sequence[str], judgements: Mapping[str, int]) -> dict[str, float]:
    """Every metric of one query, by its name in NAMES, as a fraction.

    `ranking` holds ids, best first, each once; `judgements` id → grade, above 0 where relevant.
    """
    return {
        "ndcg@10": ndcg(ranking, judgements, NDCG_DEPTH),
        "recall@100": recall(ranking, judgements, RECALL_DEPTH),
        "mrr": reciprocal_rank(ranking, judgements, DEPTH),
    }


def ndcg(ranking: Sequence[str], judgements: Mapping[str, int], depth: int) -> float:
    """Normalised discounted cumulative gain (Järvelin & Kekäläinen, 2002) with the grade itself as
    gain and log2(rank + 1) as discount; 0 where nothing is relevant.
    """
    gains = [max(judgements.get(id, 0), 0) for id in ranking[:depth]]
    ideal = sorted((grade for grade in judgements.values() if grade > 0), reverse=True)[:depth]
    best = _discounted(ideal)
    return _discounted(gains) / best if best else 0.0


def recall(ranking: Sequence[str], judgements: Mapping[str, int], depth: int) -> float:
    """The share of the relevant that stands among the first `depth`; 0 where nothing is."""
    relevant = {id for id, grade in judgements.items() if grade > 0}
    return len(relevant.intersection(ranking[:depth])) / len(relevant) if relevant else 0.0


def reciprocal_rank(ranking: Sequence[str], judgements: Mapping[str, int], depth: int) -> float:
    """1 / the rank of the first relevant one; 0 where none stands among the first `depth`."""
    ranks = (rank for rank, id in enumerate(ranking[:depth], 1) if judgements.get(id, 0) > 0)
    return 1 / next(ranks, math.inf)


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))

"""BM25 over the store's postings: exact, every passage that holds a query term scored.

The score is that of rank_bm25's BM25Plus without its constant delta, which does not change the
order: sum over query terms of log((N + 1) / n) · f (k1 + 1) / (f + k1 (1 - b + b · length / mean)),
with N passages, n of them holding the term, f the term's frequency in the passage (Robertson &
Zaragoza, The Probabilistic Relevance Framework, 2009; idf as in Lv & Zhai, 2011).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from localpers.store.postings import Postings

K1 = 1.5
B = 0.75


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best passages as (id, score), best first, and each query term's idf in this index."""

    top: tuple[tuple[int, float], ...]
    idf: Mapping[str, float]


def rank_passages(postings: Postings, terms: Sequence[str], k: int) -> Ranking:
    """The k best passages, ties by id; only those that hold a term of the query."""
    lengths = postings.lengths()
    number = int(np.count_nonzero(lengths))
    if not number or not terms or k < 1:
        return Ranking((), {})
    mean = (float(lengths.sum()) - number) / number or 1.0
    scores = np.zeros(len(lengths))
    idf: dict[str, float] = {}
    for term, repeats in Counter(terms).items():
        found = postings.of(term)
        if not len(found.passages):
            continue
        idf[term] = math.log((number + 1) / len(found.passages))
        relative = (lengths[found.passages] - 1.0) / mean
        saturation = found.frequencies + K1 * (1 - B + B * relative)
        scores[found.passages] += repeats * idf[term] * (K1 + 1) * found.frequencies / saturation
    best = np.flatnonzero(scores)
    if len(best) > k:
        threshold = np.partition(scores[best], len(best) - k)[len(best) - k]
        best = best[scores[best] >= threshold]
    order = best[np.lexsort((best, -scores[best]))][:k]
    return Ranking(tuple((int(id), float(scores[id])) for id in order), idf)

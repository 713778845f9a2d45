"""BM25 over the store's postings: the exact top k, without scoring what cannot reach it.

The score is that of rank_bm25's BM25Plus without its constant delta, which does not change the
order: sum over query terms of log((N + 1) / n) · f (k1 + 1) / (f + k1 (1 - b + b · length / mean)),
with N passages, n of them holding the term, f the term's frequency in the passage (Robertson &
Zaragoza, The Probabilistic Relevance Framework, 2009; idf as in Lv & Zhai, 2011).

Terms are taken by how much they can add at most, the rare ones first (MaxScore; Turtle & Flood,
Query Evaluation: Strategies and Optimizations, 1995). Once the terms left cannot lift a passage
that none of the others found into the top k, they are looked up only for the passages that still
can get there.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from localpers.store.postings import Collection, Frequencies, Ids, Postings, Row

K1 = 1.5
B = 0.75
MOST_CANDIDATES = 1 / 16
"""Of all passages. Above, a term is cheaper scored everywhere than looked up for each."""
_ROUNDING = 1 - 1e-9

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best passages as (id, score), best first, and each query term's idf in this index."""

    top: tuple[tuple[int, float], ...]
    idf: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Term:
    """A query term: `weight` is repeats · idf · (k1 + 1), `bound` the most that it adds."""

    term: str
    rows: Sequence[Row]
    idf: float
    weight: float
    bound: float


def rank_passages(postings: Postings, terms: Mapping[str, int] | Sequence[str], k: int) -> Ranking:
    """The k best passages, ties by id; only those that hold a term of the query.

    `terms` are the query's, repeats included, or each with its weight.
    """
    collection = postings.collection()
    if not collection.number or k < 1:
        return Ranking((), {})
    query = _terms(postings, collection, terms)
    scores = np.zeros(len(collection.lengths))
    best = _Best(scores, k)
    left = sum(term.bound for term in query)
    candidates: Ids | None = None
    for term in query:
        if candidates is None and left < best.threshold:
            found = np.flatnonzero(scores >= (best.threshold - left) * _ROUNDING)
            if len(found) <= MOST_CANDIDATES * len(scores):
                candidates = found
        left -= term.bound
        if candidates is None:
            for row in term.rows:
                base, offsets, frequencies = postings.read(row)
                ids = offsets.astype(np.intp)
                ids += base
                totals = _added(collection, term, ids, frequencies)
                totals += scores[ids]
                scores[ids] = totals
                best.offer(ids, totals)
            best.settle()
        else:
            for ids, added in _looked_up(postings, collection, term, candidates):
                scores[ids] += added
            best.choose(candidates)
            candidates = candidates[scores[candidates] >= (best.threshold - left) * _ROUNDING]
    order = best.ids[np.lexsort((best.ids, -scores[best.ids]))][:k]
    top = tuple((int(id), float(scores[id])) for id in order)
    return Ranking(top, {term.term: term.idf for term in query})


def score_passages(
    postings: Postings, terms: Mapping[str, int] | Sequence[str], ids: Iterable[int]
) -> dict[str, dict[int, float]]:
    """term → passage → what the term adds to its score, for these passages alone."""
    collection = postings.collection()
    wanted = np.array(sorted(set(ids)), np.intp)
    return {
        term.term: {
            int(id): float(score)
            for found, scores in _looked_up(postings, collection, term, wanted)
            for id, score in zip(found, scores, strict=True)
        }
        for term in _terms(postings, collection, terms)
    }


def score_groups(
    postings: Postings,
    terms: Mapping[str, int] | Sequence[str],
    groups: Mapping[int, Sequence[int]],
    mean: float,
) -> dict[str, dict[int, float]]:
    """term → group → what the term adds to the score of the group's passages taken as one text.

    `groups` are passage ids by group, none in two groups; `mean` is the mean length of such texts
    in terms. The idf is that of passages, which the index knows: so a text that is one passage
    scores as it does alone, where the means are equal.
    """
    collection = postings.collection()
    names = list(groups)
    members = np.array([id for ids in groups.values() for id in ids], np.intp)
    group_of = np.repeat(np.arange(len(names)), [len(ids) for ids in groups.values()])
    order = members.argsort()
    members, group_of = members[order], group_of[order]
    lengths = np.bincount(
        group_of, collection.lengths[members].astype(np.float64) - 1, minlength=len(names)
    )
    norms = K1 * (1 - B + B * lengths / (mean or 1.0))
    scores: dict[str, dict[int, float]] = {}
    for term in _terms(postings, collection, terms):
        counts = np.zeros(len(names))
        for ids, frequencies in _frequencies(postings, term, members):
            np.add.at(counts, group_of[members.searchsorted(ids)], frequencies)
        held = np.flatnonzero(counts)
        added = term.weight * counts[held] / (counts[held] + norms[held])
        scores[term.term] = {
            names[at]: score for at, score in zip(held.tolist(), added.tolist(), strict=True)
        }
    return scores


class _Best:
    """The ids that have the k highest scores so far, and the k-th of these scores."""

    def __init__(self, scores: Scores, k: int) -> None:
        self.ids: Ids = np.empty(0, np.intp)
        self.threshold = 0.0
        self._scores = scores
        self._k = k
        self._offered: list[Ids] = []
        self._waiting = 0

    def offer(self, ids: Ids, scores: Scores) -> None:
        better = ids[scores >= self.threshold] if self.threshold else ids
        self._offered.append(better)
        self._waiting += len(better)
        if self._waiting > 1000:
            self.settle()

    def settle(self) -> None:
        """Take the offers in; `scores` must be up to date."""
        if self._offered:
            self.choose(np.unique(np.concatenate([self.ids, *self._offered])))
            self._offered.clear()
            self._waiting = 0

    def choose(self, ids: Ids) -> None:
        """The k best are among `ids`, each there once."""
        scores = self._scores[ids]
        if len(ids) > self._k:
            place = len(ids) - self._k
            self.threshold = max(self.threshold, float(np.partition(scores, place)[place]))
            ids = ids[scores >= self.threshold]
        self.ids = ids


def _terms(
    postings: Postings, collection: Collection, terms: Mapping[str, int] | Sequence[str]
) -> list[_Term]:
    """Those that any passage holds, the one that can add most first."""
    weights = terms if isinstance(terms, Mapping) else Counter(terms)
    found: list[_Term] = []
    for term, repeats in weights.items():
        rows = postings.rows(term)
        if not rows or not repeats:
            continue
        idf = math.log((collection.number + 1) / sum(row.number for row in rows))
        weight = repeats * idf * (K1 + 1)
        highest = max(row.highest_frequency for row in rows)
        shortest = min(row.shortest for row in rows) - 1
        norm = K1 * (1 - B + B * shortest / collection.mean)
        found.append(_Term(term, rows, idf, weight, weight * highest / (highest + norm)))
    return sorted(found, key=lambda term: -term.bound)


@lru_cache(maxsize=2)
def _norms(collection: Collection) -> Scores:
    norms: Scores = collection.lengths * np.float64(K1 * B / collection.mean)
    norms += K1 * (1 - B) - K1 * B / collection.mean
    return norms


def _added(collection: Collection, term: _Term, ids: Ids, frequencies: Frequencies) -> Scores:
    norms = _norms(collection)[ids]
    norms += frequencies
    np.divide(frequencies, norms, out=norms)
    norms *= term.weight
    return norms


def _looked_up(
    postings: Postings, collection: Collection, term: _Term, wanted: Ids
) -> Iterable[tuple[Ids, Scores]]:
    """(ids, scores) of those `wanted`, ascending, that hold the term, row by row."""
    for ids, frequencies in _frequencies(postings, term, wanted):
        yield ids, _added(collection, term, ids, frequencies)


def _frequencies(postings: Postings, term: _Term, wanted: Ids) -> Iterable[tuple[Ids, Frequencies]]:
    """(ids, the term's frequencies) of those `wanted`, ascending, that hold it, row by row."""
    bases = np.array([row.base for row in term.rows])
    cuts = [*np.searchsorted(wanted, bases).tolist(), len(wanted)]
    for n, row in enumerate(term.rows):
        candidates = wanted[cuts[n] : cuts[n + 1]]
        if not len(candidates):
            continue
        base, offsets, frequencies = postings.read(row)
        # Of the offsets' own type, or numpy would convert all of them; none is beyond the last.
        sought = (candidates[candidates <= base + int(offsets[-1])] - base).astype(offsets.dtype)
        places = offsets.searchsorted(sought)
        places = places[offsets[places] == sought]
        yield offsets[places].astype(np.intp) + base, frequencies[places]

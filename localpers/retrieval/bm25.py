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
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from localpers.retrieval.analysis import Forms, is_unspaced_character
from localpers.store.postings import (
    HIGHEST_FREQUENCY,
    Frequencies,
    Ids,
    IndexStatistics,
    Offsets,
    Postings,
    Row,
)

K1 = 1.5
B = 0.75
MOST_CANDIDATES = 1 / 16
"""Of all passages. Above, a term is cheaper scored everywhere than looked up for each."""
_ROUNDING = 1 - 1e-9

Scores = npt.NDArray[np.float64]


class _Rows(NamedTuple):
    """Rows of postings, and those of them that are decoded, by place."""

    rows: Sequence[Row]
    decoded: dict[int, Offsets]


@dataclass(frozen=True, slots=True)
class _Term:
    """A query term: `weight` is repeats · idf · (k1 + 1), `bound` the most that it adds."""

    term: str
    rows: Sequence[Row]
    idf: float
    weight: float
    bound: float
    decoded: dict[int, Offsets]
    """The rows read so far, by their place in `rows`."""
    forms: Sequence[tuple[_Rows, frozenset[str]]] = ()
    """(rows of one form, its languages); empty for a term of one form."""


class Lookup:
    """A query's terms in one index: each row of postings is read once, whatever is asked of it.

    `terms` are the query's, repeats included, or each with its weight. A term with several `forms`
    is held by every passage that holds any of them, as often as all of them together. A Lookup
    holds for one state of the index.
    """

    def __init__(
        self,
        postings: Postings,
        terms: Mapping[str, float] | Sequence[str],
        forms: Mapping[str, Forms] | None = None,
    ) -> None:
        self._postings = postings
        self._collection = postings.statistics()
        self._terms = (
            _terms(postings, self._collection, terms, forms or {})
            if self._collection.number
            else []
        )

    @property
    def idf(self) -> dict[str, float]:
        """Of each term that any passage holds."""
        return {term.term: term.idf for term in self._terms}

    def rank(self, k: int) -> tuple[tuple[int, float], ...]:
        """The k best passages as (id, score), best first, ties by id; only those that hold a term
        of the query.
        """
        if k < 1:
            return ()
        scores = np.zeros(len(self._collection.lengths))
        best = _Best(scores, k)
        left = sum(term.bound for term in self._terms)
        for at, term in enumerate(self._terms):
            lowest = best.threshold * _ROUNDING - left
            if lowest > 0:
                found = np.flatnonzero(scores >= lowest)
                if len(found) <= MOST_CANDIDATES * len(scores):
                    return _first(*self._followed(found, scores[found], at, best.threshold, k), k)
            left -= term.bound
            self._score_everywhere(term, scores, best)
        return _first(best.ids, scores[best.ids], k)

    def _followed(
        self, ids: Ids, totals: Scores, at: int, threshold: float, k: int
    ) -> tuple[Ids, Scores]:
        """Those of `ids`, ascending, with scores that may be among the k best, when the terms from
        `at` on are added to their `totals`; the k-th is at least `threshold`.
        """
        left = sum(term.bound for term in self._terms[at:])
        for term in self._terms[at:]:
            left -= term.bound
            (frequencies,) = self._frequencies([term], ids)
            totals += _added(self._collection, term, ids, frequencies)
            threshold = max(threshold, _kth(totals, k))
            hopeful = totals >= threshold * _ROUNDING - left
            ids, totals = ids[hopeful], totals[hopeful]
        return ids, totals

    def frequencies(self, ids: Iterable[int], languages: Mapping[int, str] | None = None) -> Found:
        """How often these passages hold each term; with `languages` (passage → `stemmed_as`), only
        the forms that words of the passage's language take.
        """
        wanted = np.array(sorted(set(ids)), np.intp)
        frequencies = self._frequencies(self._terms, wanted)
        if languages is not None and any(term.forms for term in self._terms):
            spoken = np.array([languages[id] for id in wanted.tolist()], np.str_)
            for row, term in zip(frequencies, self._terms, strict=True):
                if term.forms:
                    counts = self._frequencies([rows for rows, _ in term.forms], wanted)
                    masks = [np.isin(spoken, list(some)) for _, some in term.forms]
                    row[:] = (counts * np.array(masks)).sum(axis=0)
        weights = np.array([term.weight for term in self._terms])
        terms = [term.term for term in self._terms]
        return Found(wanted, terms, self._collection, weights, frequencies)

    def _score_everywhere(self, term: _Term, scores: Scores, best: _Best) -> None:
        self._load([(term, range(len(term.rows)))])
        for n in range(len(term.rows)):
            base, offsets, frequencies = term.decoded[n]
            ids = offsets.astype(np.intp)
            ids += base
            totals = _added(self._collection, term, ids, frequencies)
            totals += scores[ids]
            scores[ids] = totals
            best.offer(ids, totals)
        best.settle()

    def _load(self, wanted: Iterable[tuple[_Term | _Rows, Iterable[int]]]) -> None:
        """Read rows of terms, by their places, that are not read yet."""
        missing = [(term, n) for term, places in wanted for n in places if n not in term.decoded]
        read = self._postings.read_rows([term.rows[n] for term, n in missing])
        for (term, n), row in zip(missing, read, strict=True):
            term.decoded[n] = row

    def _frequencies(self, terms: Sequence[_Term | _Rows], wanted: Ids) -> npt.NDArray[np.uint16]:
        """How often each of those `wanted`, ascending, holds each term: [terms, wanted]."""
        touched: list[list[tuple[int, int, int]]] = []
        for term in terms:
            bases = [row.base for row in term.rows]
            cuts = [*wanted.searchsorted(bases).tolist(), len(wanted)]
            rows = enumerate(pairwise(cuts))
            touched.append([(n, start, stop) for n, (start, stop) in rows if start < stop])
        self._load(
            (term, [n for n, _, _ in spans]) for term, spans in zip(terms, touched, strict=True)
        )
        counts = np.zeros((len(terms), len(wanted)), np.uint16)
        for row, term, spans in zip(counts, terms, touched, strict=True):
            for n, start, stop in spans:
                base, offsets, frequencies = term.decoded[n]
                sought = wanted[start:stop] - base
                sought = sought[: sought.searchsorted(offsets[-1], "right")]
                # Of the offsets' own type, or numpy would convert all; none is beyond the last.
                places = offsets.searchsorted(sought.astype(offsets.dtype))
                held = frequencies[places] * (offsets[places] == sought)
                row[start : start + len(held)] = held
        return counts


@dataclass(frozen=True, slots=True)
class Found:
    """How often some passages (`ids`, ascending) hold the `terms` of a query: `_frequencies`
    [terms, ids].
    """

    ids: Ids
    terms: Sequence[str]
    _collection: IndexStatistics
    _weights: Scores
    _frequencies: npt.NDArray[np.uint16]

    def score_passages(self, passages: Iterable[int]) -> Scores:
        """What each term adds to the score of each of these passages: [terms, passages]."""
        wanted = np.fromiter(passages, np.intp)
        counts = self._frequencies[:, self.ids.searchsorted(wanted)]
        return _saturated(self._weights[:, None], counts, _norms(self._collection)[wanted])

    def score_groups(self, groups: Sequence[Sequence[int]], mean: float) -> Scores:
        """What each term adds to the score of each group's passages as one text: [terms, groups].

        All `ids` are in one group each, and no group is empty; `mean` is the mean length of such
        texts in terms. The idf is that of passages, which the index knows: so a text that is one
        passage scores as it does alone, where the means are equal.
        """
        members = np.array([id for ids in groups for id in ids], np.intp)
        starts = np.cumsum([0, *(len(ids) for ids in groups[:-1])])
        if not len(members):
            return np.zeros((len(self.terms), len(groups)))
        terms_of = self._collection.lengths[members].astype(np.float64) - 1
        lengths = np.add.reduceat(terms_of, starts)
        of_members = self._frequencies[:, self.ids.searchsorted(members)]
        counts = np.add.reduceat(of_members, starts, axis=1, dtype=np.float64)
        return _saturated(
            self._weights[:, None], counts, K1 * (1 - B + B * lengths / (mean or 1.0))
        )


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
            # No id is offered twice between two settlements, but some may be among the best.
            offered = self._highest(np.concatenate(self._offered))
            self._offered.clear()
            self._waiting = 0
            self.ids = self._highest(np.unique(np.concatenate([self.ids, offered])))

    def _highest(self, ids: Ids) -> Ids:
        """Those with the k highest scores, and with the same score as the k-th."""
        scores = self._scores[ids]
        self.threshold = max(self.threshold, _kth(scores, self._k))
        return ids if len(ids) <= self._k else ids[scores >= self.threshold]


def _kth(scores: Scores, k: int) -> float:
    """The k-th highest score; 0 of fewer."""
    place = len(scores) - k
    return float(np.partition(scores, place)[place]) if place >= 0 else 0.0


def _first(ids: Ids, scores: Scores, k: int) -> tuple[tuple[int, float], ...]:
    """The k best as (id, score), ties by id."""
    order = np.lexsort((ids, -scores))[:k]
    return tuple(zip(ids[order].tolist(), scores[order].tolist(), strict=True))


def _terms(
    postings: Postings,
    collection: IndexStatistics,
    terms: Mapping[str, float] | Sequence[str],
    forms: Mapping[str, Forms],
) -> list[_Term]:
    """Those that any passage holds, the one that can add most first."""
    weights = terms if isinstance(terms, Mapping) else Counter(terms)
    found: list[_Term] = []
    every = {form for term in weights for form in forms.get(term, (term,))}
    rows_of = postings.rows_of(form for form in every if not is_unspaced_character(form))
    for term, repeats in weights.items():
        if is_unspaced_character(term):
            # One term with all the bigrams that it begins.
            begun = postings.rows_of_character(term)
            rows, decoded = _union(postings, [_Rows([row], {}) for row in begun])
            several: list[tuple[_Rows, frozenset[str]]] = []
        else:
            spoken = forms.get(term, {term: frozenset[str]()})
            held = [(_Rows(rows_of[form], {}), some) for form, some in spoken.items()]
            held = [(some, languages) for some, languages in held if some.rows]
            several = held if len(spoken) > 1 else []
            rows, decoded = _union(postings, [some for some, _ in held])
        if not rows or not repeats:
            continue
        idf = math.log((collection.number + 1) / sum(row.number for row in rows))
        weight = repeats * idf * (K1 + 1)
        highest = max(row.highest_frequency for row in rows)
        shortest = min(row.shortest for row in rows) - 1
        norm = K1 * (1 - B + B * shortest / collection.mean)
        bound = weight * highest / (highest + norm)
        found.append(_Term(term, rows, idf, weight, bound, decoded, several))
    return sorted(found, key=lambda term: -term.bound)


def _union(postings: Postings, forms: Sequence[_Rows]) -> _Rows:
    """The rows of all forms as of one term, which a passage holds as often as it holds any."""
    if not forms:
        return _Rows((), {})
    if len(forms) == 1:
        return forms[0]
    places = [(some, place) for some in forms for place in range(len(some.rows))]
    read = postings.read_rows([some.rows[place] for some, place in places])
    for (some, place), row in zip(places, read, strict=True):
        some.decoded[place] = row
    all_ids = np.concatenate([offsets.astype(np.intp) + base for base, offsets, _ in read])
    ids, positions = np.unique(all_ids, return_inverse=True)
    counts = np.bincount(positions, np.concatenate([frequencies for _, _, frequencies in read]))
    frequencies = np.minimum(counts, HIGHEST_FREQUENCY).astype(np.uint16)
    base = int(ids[0])
    shortest = min(row.shortest for some in forms for row in some.rows)
    one = Row(base, len(ids), int(frequencies.max()), shortest, None, None)
    return _Rows([one], {0: (base, ids - base, frequencies)})


@lru_cache(maxsize=2)
def _norms(collection: IndexStatistics) -> Scores:
    norms: Scores = collection.lengths * np.float64(K1 * B / collection.mean)
    norms += K1 * (1 - B) - K1 * B / collection.mean
    return norms


def _added(collection: IndexStatistics, term: _Term, ids: Ids, frequencies: Frequencies) -> Scores:
    return _saturated(term.weight, frequencies, _norms(collection)[ids])


def _saturated(weights: float | Scores, counts: npt.NDArray[Any], norms: Scores) -> Scores:
    """What a term adds to the scores of texts [texts] that hold it so often; with `weights` as a
    column, so many terms: [terms, texts].
    """
    scores: Scores = counts + norms
    np.divide(counts, scores, out=scores)
    scores *= weights
    return scores

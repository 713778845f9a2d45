"""Reciprocal rank fusion of rankings (Cormack, Clarke & Büttcher, SIGIR 2009), with weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import islice

from localpers.retrieval.dates.expressions import day_of
from localpers.retrieval.dense import TextEncoder, rank_by_vector
from localpers.retrieval.hits import Hit, Ranks, Reason
from localpers.retrieval.lexical import of_date, score_by_words
from localpers.retrieval.query import Query
from localpers.store import Store

K = 30
"""How little the first ranks stand out; the paper's 60 is for dozens of rankings."""
VECTOR_WEIGHT = 0.7
"""Of the ranking by vectors beside that by words."""
LEAST_COSINE = 0.2
"""Of a passage found by its vector alone: every passage has some cosine."""
DATE_WEIGHT = 0.3
"""Share of the weight by words that a date gets in fused scores, which lie closer together."""
DEPTH = 100
"""Passages of each ranking, at least."""

Ranking = Mapping[int, int]
"""id → rank, from 1."""


def fuse(rankings: Iterable[tuple[Sequence[int], float]]) -> list[tuple[int, float]]:
    """Ids by their sum of weight / (K + rank) over the rankings (ids, weight) that hold them, best
    first, ties by id. Ranks count from 1.
    """
    scores: dict[int, float] = defaultdict(float)
    for ranking, weight in rankings:
        for rank, id in enumerate(ranking, 1):
            scores[id] += weight / (K + rank)
    return sorted(scores.items(), key=lambda hit: (-hit[1], hit[0]))


def fuse_by_document(
    store: Store, encoder: TextEncoder, query: Query, k: int, needs_words: bool = False
) -> Iterator[Iterable[Hit]]:
    """Hits in batches: the best passage of each document, in the order of the documents; then the
    other passages; then what ranks by words behind all of them.

    A document stands in each ranking where its best passage does. With `needs_words`, nothing where
    nothing is found by words.
    """
    depth = max(DEPTH, 2 * k)
    batches = score_by_words(store, query, k, fewest=depth)
    first = iter(next(batches, ()))
    by_words = {hit.passage.id: hit for hit in islice(first, depth)}
    if needs_words and not by_words:
        return
    ranked = rank_by_vector(store, encoder, query.topic, depth)
    by_vector = [id for id, cosine in ranked if cosine >= LEAST_COSINE or id in by_words]
    document_of = {id: place.document for id, place in store.documents.placed(by_vector).items()}
    document_of |= {id: hit.passage.document for id, hit in by_words.items()}
    words = [document_of[id] for id in by_words]
    vectors = [document_of[id] for id in by_vector]
    fused = fuse(((list(dict.fromkeys(words)), 1.0), (list(dict.fromkeys(vectors)), VECTOR_WEIGHT)))
    passage_of = dict(zip([*words, *vectors], [*by_words, *by_vector], strict=True))
    fused = _dated(store, query, fused, passage_of)
    members: dict[int, list[int]] = defaultdict(list)
    for id, _ in fuse(((list(by_words), 1.0), (by_vector, VECTOR_WEIGHT))):
        members[document_of[id]].append(id)
    ranks = _ranks(words), _ranks(vectors)
    order = [(ids[0], score) for document, score in fused for ids in (members[document],)]
    lowest = fused[-1][1] if fused else 0.0
    others = [id for document, _ in fused for id in members[document][1:]]
    order.extend((id, lowest / (2 + place)) for place, id in enumerate(others))
    yield _hits(store, by_words, order, document_of, ranks, k)
    given = set(document_of)
    lowest = order[-1][1] if order else 0.0
    for batch in (first, *batches):
        rest = [hit for hit in batch if hit.passage.id not in given]
        given.update(hit.passage.id for hit in rest)
        yield [replace(hit, score=lowest / (2 + place)) for place, hit in enumerate(rest)]


def _dated(
    store: Store, query: Query, fused: list[tuple[int, float]], passage_of: Mapping[int, int]
) -> list[tuple[int, float]]:
    """With the time that the query asks for; unchanged where it asks for none."""
    if not query.times and not query.recent:
        return fused
    newest = day_of(store.documents.newest_date(query.today)) or date.max
    dates = {
        place.document: place.date
        for place in store.documents.placed(set(passage_of.values())).values()
    }
    weighted = [
        (document, score * (1 + DATE_WEIGHT * sum(of_date(dates[document], query, newest))))
        for document, score in fused
    ]
    return sorted(weighted, key=lambda one: (-one[1], one[0]))


def _ranks(documents: Iterable[int]) -> Ranking:
    return {id: rank for rank, id in enumerate(dict.fromkeys(documents), 1)}


def _hits(
    store: Store,
    by_words: Mapping[int, Hit],
    order: Sequence[tuple[int, float]],
    document_of: Mapping[int, int],
    ranks: tuple[Ranking, Ranking],
    at_once: int,
) -> Iterator[Hit]:
    """Texts are read in portions of `at_once`."""
    words, vectors = ranks
    for start in range(0, len(order), max(at_once, 1)):
        some = order[start : start + max(at_once, 1)]
        passages = store.documents.passages(id for id, _ in some if id not in by_words)
        for id, score in some:
            document = document_of[id]
            place = Ranks(words.get(document), vectors.get(document))
            reason = by_words[id].reason if id in by_words else Reason()
            passage = by_words[id].passage if id in by_words else passages[id]
            yield Hit(passage, score, replace(reason, ranks=place))

"""`auto`: BM25 of text, document and fields, the query's time, and a list without repetitions.

    ((1 - DOCUMENT_SHARE) · text + DOCUMENT_SHARE · document + FIELD_WEIGHT · share³ · fields)
        · (1 + TIME_WEIGHT · closeness + prior · recency)

`text`, `document` and `fields` are BM25 over the passage, over all passages of its document as one
text, and over its title, headings and tags. A passage holds only part of what its document is
about, and what is asked for may be spread over several (Callan, Passage-Level Evidence in Document
Retrieval, SIGIR 1994). `share` is how much of the query's idf the fields hold: a title that a long
question touches with one word tells little, one that says all that is asked tells more than any
body. Closeness is of the document's date to the time that the query names; recency halves every
HALF_LIFE_DAYS before the newest document, and its prior is RECENCY_WEIGHT, or RECENT_WEIGHT where
the query asks for what is new. Of a query by date alone the dates decide.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

from localpers.retrieval.analysis import analyse
from localpers.retrieval.bm25 import rank_passages, score_groups, score_passages
from localpers.retrieval.dates import closeness, day_of
from localpers.retrieval.query import Query
from localpers.store import Store
from localpers.store.documents import Documents, StoredPassage
from localpers.store.postings import Collection

CANDIDATES = 50
"""How many of each index's best are looked at again, at least."""
DATED_CANDIDATES = 1000
"""Passages of the time that the query names that are looked at besides, the newest."""
DOCUMENT_SHARE = 2 / 3
"""Of the whole document, the rest being the passage's own; measured in docs/results.md."""
FIELD_WEIGHT = 1.5
TIME_WEIGHT = 1.5
RECENCY_WEIGHT = 0.05
RECENT_WEIGHT = 1.0
"""Of recency, where the query asks for what is new."""
HALF_LIFE_DAYS = 180
MOST_PER_DOCUMENT = 2
"""Passages of one document among the hits, as long as other documents have any."""
SAME = 0.9
"""Share of terms from which on passages of different documents are one text (Jaccard)."""


@dataclass(frozen=True, slots=True)
class TermScore:
    """What a term adds. `part` is `text`, `document` (all its text) or `fields` (title, headings,
    tags).
    """

    term: str
    part: str
    score: float


@dataclass(frozen=True, slots=True)
class Ranks:
    """Where a passage stands by words and by vectors, from 1; None where it is not in the list."""

    words: int | None
    vectors: int | None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a passage ranks where it does: the sum of `terms`, times one plus `time` and `recency`;
    where vectors play a part, its `ranks`, which that score by words gives one of.
    """

    terms: tuple[TermScore, ...] = ()
    time: float = 0.0
    recency: float = 0.0
    ranks: Ranks | None = None
    copies: tuple[str, ...] = ()
    """Paths of documents that hold nearly the same passage and are left out for it."""


@dataclass(frozen=True, slots=True)
class Scored:
    passage: StoredPassage
    score: float
    reason: Reason


def score_by_words(store: Store, query: Query, k: int) -> list[Scored]:
    """Best first, what `choose` needs to find the k best; none that holds nothing of the query's
    content.
    """
    ids, idf = _candidates(store, query, max(CANDIDATES, 5 * k))
    if not ids:
        return []
    text = score_passages(store.postings, query.terms, ids)
    fields = score_passages(store.fields, query.terms, ids)
    passages = store.documents.passages(ids)
    documents = _document_scores(store, query, {p.document for p in passages.values()})
    newest = day_of(store.documents.newest_date()) or date.max
    scored = []
    for passage in passages.values():
        terms = _term_scores(passage.id, text, fields, idf)
        held = any(term.term in query.content for term in terms)
        hit = _scored(passage, [*terms, *documents[passage.document]], query, newest)
        if held or (query.by_date_alone and (query.recent or hit.reason.time >= TIME_WEIGHT)):
            scored.append(hit)
    return sorted(scored, key=lambda hit: (-hit.score, hit.passage.id))


def _candidates(store: Store, query: Query, number: int) -> tuple[list[int], dict[str, float]]:
    """Passages worth a second look, and the terms' idf."""
    ids: set[int] = set()
    idf: dict[str, float] = {}
    for postings in (store.fields, store.postings):
        ranking = rank_passages(postings, query.terms, number)
        ids.update(id for id, _ in ranking.top)
        idf |= ranking.idf
    for time in query.times:
        span = (time.first.isoformat(), time.last.isoformat())
        ids.update(store.documents.newest_passages(DATED_CANDIDATES, span))
    if query.recent and query.by_date_alone:
        ids.update(store.documents.newest_passages(number))
    return sorted(ids), idf


def _document_scores(
    store: Store, query: Query, documents: Set[int]
) -> Mapping[int, Sequence[TermScore]]:
    """What each term adds by standing anywhere in these documents."""
    collection = store.postings.collection()
    mean = collection.mean * collection.number / _documents_of(store.documents, collection)
    groups = store.documents.passages_of(documents)
    told: dict[int, list[TermScore]] = {document: [] for document in documents}
    for term, scores in score_groups(store.postings, query.terms, groups, mean).items():
        for document, score in scores.items():
            told[document].append(TermScore(term, "document", DOCUMENT_SHARE * score))
    return told


@lru_cache(maxsize=2)
def _documents_of(documents: Documents, collection: Collection) -> int:
    """How many there are, counted once for each state of the index, as `collection` is."""
    return max(documents.count(), 1)


def _term_scores(
    id: int,
    text: Mapping[str, Mapping[int, float]],
    fields: Mapping[str, Mapping[int, float]],
    idf: Mapping[str, float],
) -> list[TermScore]:
    held = sum(idf[term] for term, scores in fields.items() if id in scores)
    weight = FIELD_WEIGHT * (held / (sum(idf.values()) or 1.0)) ** 3
    return [
        TermScore(term, part, factor * scores[id])
        for part, factor, found in (("text", 1 - DOCUMENT_SHARE, text), ("fields", weight, fields))
        for term, scores in found.items()
        if id in scores
    ]


def _scored(
    passage: StoredPassage, terms: Sequence[TermScore], query: Query, newest: date
) -> Scored:
    day = day_of(passage.date)
    time = recency = 0.0
    if day is not None:
        time = TIME_WEIGHT * closeness(day, query.times)
        weight = RECENT_WEIGHT if query.recent else RECENCY_WEIGHT
        recency = weight * 0.5 ** (max((newest - day).days, 0) / HALF_LIFE_DAYS)
    reason = Reason(tuple(sorted(terms, key=lambda term: -term.score)), time, recency)
    told = sum(term.score for term in terms)
    base = 1.0 + told if query.by_date_alone else told
    return Scored(passage, base * (1 + time + recency), reason)


def choose(scored: Iterable[Scored], k: int) -> list[Scored]:
    """The first k of a ranking that are no copies, other documents before third passages of one."""
    taken: Counter[int] = Counter()
    crowd: list[Scored] = []
    chosen = _Chosen()
    for hit in scored:
        if len(chosen.hits) >= k:
            break
        if taken[hit.passage.document] >= MOST_PER_DOCUMENT:
            crowd.append(hit)
        elif chosen.take(hit):
            taken[hit.passage.document] += 1
    for hit in crowd:
        if len(chosen.hits) >= k:
            break
        chosen.take(hit)
    hits = sorted(chosen.hits, key=lambda hit: (-hit.score, hit.passage.id))[: max(k, 0)]
    return [
        replace(hit, reason=replace(hit.reason, copies=tuple(chosen.copies[hit.passage.id])))
        for hit in hits
    ]


class _Chosen:
    """Hits of which none is a copy of another, and the paths of the copies by passage id."""

    def __init__(self) -> None:
        self.hits: list[Scored] = []
        self.copies: dict[int, list[str]] = defaultdict(list)
        self._terms: list[frozenset[str]] = []

    def take(self, hit: Scored) -> bool:
        """Add a hit, or note whose copy it is; returns whether it was added."""
        terms = frozenset(analyse(hit.passage.text))
        for kept, held in zip(self.hits, self._terms, strict=True):
            if _is_copy(hit, terms, kept, held):
                self.copies[kept.passage.id].append(hit.passage.path)
                return False
        self.hits.append(hit)
        self._terms.append(terms)
        return True


def _is_copy(hit: Scored, terms: frozenset[str], kept: Scored, held: frozenset[str]) -> bool:
    """Nearly the same words in another document, and nothing of the query that `kept` lacks."""
    fewer, more = sorted((len(terms), len(held)))
    if fewer < SAME * more or hit.passage.document == kept.passage.document:
        return False
    shared = len(terms & held)
    if shared < SAME * (len(terms) + len(held) - shared):
        return False
    return _text_terms(hit) <= _text_terms(kept)


def _text_terms(hit: Scored) -> set[str]:
    return {term.term for term in hit.reason.terms if term.part == "text"}

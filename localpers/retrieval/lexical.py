"""`auto`: BM25 of text, document and fields, and the query's time.

    ((1 - DOCUMENT_SHARE) · text + DOCUMENT_SHARE · document + OPENING_WEIGHT · opening
        + FIELD_WEIGHT · share³ · fields) · (1 + TIME_WEIGHT · closeness + prior · recency)

`text`, `document`, `opening` and `fields` are BM25 over the passage, over all passages of its
document as one text, over the first of them, and over its title, headings and tags. A passage holds
only part of what its document is about, and what is asked for may be spread over several (Callan,
Passage-Level Evidence in Document Retrieval, SIGIR 1994); how a document begins tells best what it
is about. `share` is how much of the query's idf the fields hold: a title that a long
question touches with one word tells little, one that says all that is asked tells more than any
body. Closeness is of the document's date to the time that the query names; recency halves every
HALF_LIFE_DAYS before the newest document of today or earlier, and its prior is RECENCY_WEIGHT, or
RECENT_WEIGHT where the query asks for what is new. Of a query by date alone the dates decide: the
first factor is 1 + DATE_WORDS · s / (s + HALF_OF_WORDS), with s as above.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import islice

import numpy as np
import numpy.typing as npt

from localpers.retrieval.analysis import stemmed_as
from localpers.retrieval.bm25 import Lookup, Scores
from localpers.retrieval.dates.expressions import closeness, day_of
from localpers.retrieval.hits import Hit, Reason, TermScore
from localpers.retrieval.query import Query, TermGroup
from localpers.store import Store
from localpers.store.documents import Documents, Placed
from localpers.store.postings import IndexStatistics

CANDIDATES = 50
"""How many of each index's best are looked at again, at least; of long queries, which the passage
itself decides, fewer.
"""
WIDENING = 5
"""So many times as many, where too few of them are no copies; at most MOST_CANDIDATES."""
MOST_CANDIDATES = 1000
DATED_CANDIDATES = 1000
"""Passages of the time that the query names that are looked at besides, the newest."""
DOCUMENT_SHARE = 2 / 3
"""Of the whole document, the rest being the passage's own (docs/decisions/retrieval.md)."""
FEW_TERMS = 8
"""Up to so many, a query names a topic; the more it has, the more of them one passage should hold,
and what is about topics fades."""
OPENING_WEIGHT = 0.5
"""Of the document's first passage that has FEWEST_TERMS."""
FEWEST_TERMS = 16
FIELD_WEIGHT = 1.5
_SECTIONS_AT_ONCE = 10
PART_WEIGHT = 0.5
"""Of `foo` and `bar`, where the query has `fooBar` and at least KNOWN passages do."""
KNOWN = 2
TIME_WEIGHT = 1.5
RECENCY_WEIGHT = 0.05
RECENT_WEIGHT = 1.0
"""Of recency, where the query asks for what is new."""
HALF_LIFE_DAYS = 180
DATE_WORDS = 0.25
"""What the words of a date add at most, where no topic is named: less than any distance of dates,
so that they order notes of one day."""
HALF_OF_WORDS = 10.0
"""A score by words that adds half of that."""


def score_by_words(store: Store, query: Query, k: int, fewest: int = 0) -> Iterator[Iterator[Hit]]:
    """Hits in batches, each best first: the first is what `deduplicate` needs to find the k best,
    the next ones are for where copies fill it. All hold something of the query's content. Texts
    are read and reasons computed only of what is taken.

    At least `fewest` passages are compared for the first batch, as far as there are any.
    """
    if not store.postings.statistics().number:
        return
    terms = _weighted(store, query)
    text = Lookup(store.postings, terms, query.forms)
    fields = Lookup(store.fields, terms, query.forms)
    number = max(fewest, 2 * k, round(max(CANDIDATES, 5 * k) * fading(len(terms))))
    given: set[int] = set()
    while number <= max(MOST_CANDIDATES, fewest, 5 * k):
        found = _candidates(store, query, text, fields, number)
        new = {id: place for id, place in found.items() if id not in given}
        if not new:
            return
        yield _scored(store, query, _candidate_scores(store, query, text, fields, new), new, k)
        given |= new.keys()
        number *= WIDENING


def _scored(
    store: Store,
    query: Query,
    scored: CandidateScores,
    candidates: Mapping[int, Placed],
    at_once: int,
) -> Iterator[Hit]:
    """Best first; the texts of so many at once are read."""
    newest = day_of(store.documents.newest_date(query.today)) or date.max
    totals = scored.scores.sum(axis=0).tolist()
    hits = []
    for at, (id, place) in enumerate(candidates.items()):
        time, recency = of_date(place.date, query, newest)
        if scored.held[at] or (query.by_date_alone and (query.recent or time >= TIME_WEIGHT)):
            base = totals[at]
            if query.by_date_alone:
                base = 1.0 + DATE_WORDS * base / (base + HALF_OF_WORDS)
            hits.append((-base * (1 + time + recency), id, at, time, recency))
    hits.sort()
    for start in range(0, len(hits), max(at_once, 1)):
        some = hits[start : start + max(at_once, 1)]
        passages = store.documents.passages(id for _, id, *_ in some)
        for score, id, at, time, recency in some:
            yield Hit(passages[id], -score, Reason(scored.terms_of(at), time, recency))


def _weighted(store: Store, query: Query) -> dict[str, float]:
    """The query's terms, the parts of compounds that the index knows as wholes with less weight:
    of "PostgreSQL" the whole should decide, of a name that nobody has written so its parts.
    """
    terms: dict[str, float] = dict(query.terms)
    for whole, parts in query.compounds:
        if store.postings.count(whole) >= KNOWN:
            for part in parts:
                terms[part] -= 1 - PART_WEIGHT
    return terms


def _candidates(
    store: Store, query: Query, text: Lookup, fields: Lookup, number: int
) -> dict[int, Placed]:
    """Passages worth a second look."""
    ids = {id for id, _ in text.rank(number)}
    ids.update(islice(_of_sections(store, [id for id, _ in fields.rank(number)]), number))
    for time in query.times:
        span = (time.first.isoformat(), time.last.isoformat())
        ids.update(store.documents.newest_passages(DATED_CANDIDATES, span))
    if query.recent and query.by_date_alone:
        ids.update(store.documents.newest_passages(number))
    return store.documents.placed(ids)


def _of_sections(store: Store, sections: Sequence[int]) -> Iterator[int]:
    """All passages of the first section, then those of the next."""
    for start in range(0, len(sections), _SECTIONS_AT_ONCE):
        some = sections[start : start + _SECTIONS_AT_ONCE]
        members = store.documents.same_section(some)
        yield from (id for section in some for id in members.get(section, ()))


@dataclass(frozen=True, slots=True)
class CandidateScores:
    """What `terms`, as (term, part), add to the scores of the candidates, by their place:
    `scores` [terms, candidates]; `held` says whether a term of the query's content stands in the
    passage or its fields.
    """

    terms: Sequence[tuple[str, str]]
    scores: Scores
    held: npt.NDArray[np.bool_]

    def terms_of(self, at: int) -> tuple[TermScore, ...]:
        """Of one candidate, the most telling first."""
        column = self.scores[:, at]
        (held,) = column.nonzero()
        some = zip(held.tolist(), column[held].tolist(), strict=True)
        found = [TermScore(*self.terms[n], score) for n, score in some]
        return tuple(sorted(found, key=lambda term: -term.score))


def _candidate_scores(
    store: Store,
    query: Query,
    text: Lookup,
    fields: Lookup,
    candidates: Mapping[int, Placed],
) -> CandidateScores:
    groups = store.documents.passages_of({placed.document for placed in candidates.values()})
    place_of = {document: place for place, document in enumerate(groups)}
    places = [place_of[placed.document] for placed in candidates.values()]
    lengths = store.postings.statistics().lengths
    openings = [_opening(lengths, members) for members in groups.values()]
    spoken = {placed.document: stemmed_as(placed.language) for placed in candidates.values()}
    languages = {id: spoken[document] for document, members in groups.items() for id in members}
    found = text.frequencies(languages, languages)
    own = found.score_passages(candidates)
    document = found.score_groups(list(groups.values()), _mean_document(store))[:, places]
    opening = found.score_passages(openings)[:, places]
    sections = [placed.section for placed in candidates.values()]
    titled = fields.frequencies(sections, languages)
    in_fields = titled.score_passages(sections)
    idf = fields.idf | text.idf
    share = _idf_of(titled.terms, idf) @ (in_fields > 0) / (sum(idf.values()) or 1.0)
    topical = fading(len(found.terms))
    parts = (
        ("text", found.terms, (1 - DOCUMENT_SHARE * topical) * own),
        ("document", found.terms, DOCUMENT_SHARE * topical * document),
        ("opening", found.terms, OPENING_WEIGHT * topical * opening),
        ("fields", titled.terms, FIELD_WEIGHT * share**3 * in_fields),
    )
    held = _held(
        query.content,
        _by_term(found.terms, own),
        _by_term(titled.terms, in_fields),
        len(candidates),
    )
    terms = [(term, part) for part, some, _ in parts for term in some]
    return CandidateScores(terms, np.concatenate([scores for *_, scores in parts]), held)


def fading(terms: int) -> float:
    """What topics still weigh in a query of so many terms, from 1 down."""
    return min(1.0, FEW_TERMS / max(terms, 1))


def _idf_of(terms: Iterable[str], idf: Mapping[str, float]) -> Scores:
    return np.array([idf[term] for term in terms], np.float64)


_Holding = Mapping[str, npt.NDArray[np.bool_]]
"""term → which of the candidates hold it."""


def _by_term(terms: Sequence[str], scores: Scores) -> _Holding:
    return dict(zip(terms, scores > 0, strict=True))


def _held(
    content: Sequence[TermGroup], text: _Holding, fields: _Holding, number: int
) -> npt.NDArray[np.bool_]:
    """Which of the candidates, of which there are `number`, hold something of the content, in
    themselves or their fields.
    """
    nothing = np.zeros(number, np.bool_)
    held = nothing
    for group in content:
        counted = np.zeros(number, np.int64)
        for term in group.terms:
            counted += text.get(term, nothing) | fields.get(term, nothing)
        held = held | (counted >= group.min_match)
    return held


def _opening(lengths: npt.NDArray[np.uint32], passages: Sequence[int]) -> int:
    """Of a document's passages, in order, the first that is no bare heading."""
    return next((id for id in passages if lengths[id] > FEWEST_TERMS), passages[0])


def _mean_document(store: Store) -> float:
    """The mean length of documents in terms."""
    index = store.postings.statistics()
    return index.mean * index.number / _documents_of(store.documents, index)


@lru_cache(maxsize=2)
def _documents_of(documents: Documents, index: IndexStatistics) -> int:
    """How many there are, counted once for each state of the index."""
    return max(documents.count(), 1)


def of_date(moment: str, query: Query, newest: date) -> tuple[float, float]:
    """(what a document's date adds as an answer to the query's time, what it adds as recency)."""
    day = day_of(moment)
    if day is None:
        return 0.0, 0.0
    weight = RECENT_WEIGHT if query.recent else RECENCY_WEIGHT
    recency = weight * 0.5 ** (max((newest - day).days, 0) / HALF_LIFE_DAYS)
    return TIME_WEIGHT * closeness(day, query.times), recency

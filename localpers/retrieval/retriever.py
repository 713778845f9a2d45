"""Retriever: a query in, ranked passages out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from itertools import chain, islice

from localpers.datatypes import RetrievedPassage
from localpers.errors import LocalpersError
from localpers.retrieval.auto import (
    CANDIDATES,
    Ranks,
    Reason,
    Scored,
    TermScore,
    fading,
    score_by_words,
)
from localpers.retrieval.bm25 import Lookup
from localpers.retrieval.dense import TextEncoder, rank_by_vector
from localpers.retrieval.fusion import fuse
from localpers.retrieval.query import Query, plain, understand
from localpers.retrieval.repetitions import choose
from localpers.store import Store


class Method(StrEnum):
    """How passages are ranked.

    `bm25` is exact BM25 of the passages' text; `auto` starts from it, lets titles, headings, tags
    and dates count and keeps repetitions out; `dense` is the cosine of vectors, `hybrid` fuses the
    ranking of `auto` with it; `recency` goes by document date alone.
    """

    AUTO = "auto"
    BM25 = "bm25"
    DENSE = "dense"
    HYBRID = "hybrid"
    RECENCY = "recency"


RANKING = 5
"""Of the order of hits. Whatever moves one bumps it: figures of other rankings do not mix."""
VECTOR_WEIGHT = 0.7
"""Of the ranking by vectors beside that by words, in short queries."""
USES_VECTORS = frozenset({Method.DENSE, Method.HYBRID})


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was looked for, and why each of the passages found ranks where it does.

    `embedded` is the text whose vector was compared, None where vectors played no part.
    """

    query: Query
    embedded: str | None
    idf: dict[str, float]
    passages: list[RetrievedPassage]
    reasons: list[Reason]

    def reason_of(self, passage: RetrievedPassage) -> Reason:
        """Of one of the passages, wherever a reranker has put it since."""
        place = (passage.document, passage.start)
        places = [(found.document, found.start) for found in self.passages]
        return self.reasons[places.index(place)]


class Retriever:
    """Ranks the passages of one store.

    `encoder` gives the embedding model when it is first needed; with `auto_is_hybrid`, `auto` needs
    it too.
    """

    def __init__(
        self,
        store: Store,
        encoder: Callable[[], TextEncoder] | None = None,
        auto_is_hybrid: bool = False,
    ) -> None:
        self._store = store
        self._encoder = encoder
        self.auto_is_hybrid = auto_is_hybrid and encoder is not None

    def search(
        self, query: str, k: int = 10, retriever: str = Method.AUTO, today: date | None = None
    ) -> list[RetrievedPassage]:
        """The k best passages for `query`, best first; fewer where fewer hold any of its terms.

        `recency` ranks by document date alone; its score is 1 / rank. The query is plain text:
        no character in it has a meaning of its own. Relative times in it count from `today`, by
        default the day that it is. Raises LocalpersError for `dense` and `hybrid` without an
        encoder.
        """
        with self._store.snapshot():
            method = Method(retriever)
            hits = self._rank(self._understood(query, method, today), k, method)
        return [_retrieved(rank, hit) for rank, hit in enumerate(hits, 1)]

    def explain(self, query: str, k: int = 10, retriever: str = Method.AUTO) -> Explanation:
        """`search`, and why."""
        with self._store.snapshot():
            method = Method(retriever)
            understood = self._understood(query, method, None)
            hits = self._rank(understood, k, method)
            if method is Method.BM25:
                hits = self._with_terms(understood, hits)
            idf = Lookup(self._store.postings, understood.terms).idf
        return Explanation(
            query=understood,
            embedded=understood.topic if self._uses_vectors(method, understood) else None,
            idf={term: idf.get(term, 0.0) for term in understood.terms},
            passages=[_retrieved(rank, hit) for rank, hit in enumerate(hits, 1)],
            reasons=[hit.reason for hit in hits],
        )

    def _understood(self, query: str, method: Method, today: date | None) -> Query:
        if method is Method.RECENCY:
            return Query({}, ())
        languages = self._store.documents.languages()
        if method is Method.BM25:
            return plain(query, languages)
        understood = understand(query, languages, today or date.today())
        if method is Method.DENSE:
            topic = understood.topic or query
            return Query({}, (), topic, ignored=understood.ignored)
        return understood

    def _uses_vectors(self, method: Method, query: Query) -> bool:
        if method is Method.DENSE:
            return True
        fused = method is Method.HYBRID or (method is Method.AUTO and self.auto_is_hybrid)
        # Of a query by date alone the dates decide.
        return fused and not query.by_date_alone

    def _rank(self, query: Query, k: int, method: Method) -> list[Scored]:
        if method in (Method.AUTO, Method.HYBRID):
            depth = max(CANDIDATES, 2 * k) if self._uses_vectors(method, query) else 0
            lots = score_by_words(self._store, query, k, fewest=depth)
            if not depth:
                return choose(lots, k)
            lot = iter(next(lots, ()))
            first = list(islice(lot, depth))
            # Every passage has some cosine; that words are found is what tells that any answers.
            if not first and method is not Method.HYBRID:
                return []
            fused = self._fused(first, query, depth)
            return choose(self._with_rest(fused, chain([lot], lots)), k)
        if method is Method.DENSE:
            return self._by_vector(query, k)
        if method is Method.RECENCY:
            newest = self._store.documents.newest_passages(k)
            top = [(id, 1 / rank) for rank, id in enumerate(newest, 1)]
        else:
            top = list(Lookup(self._store.postings, query.terms).rank(k))
        passages = self._store.documents.passages(id for id, _ in top)
        return [Scored(passages[id], score, Reason()) for id, score in top]

    def _by_vector(self, query: Query, k: int) -> list[Scored]:
        if self._encoder is None:
            raise LocalpersError(
                "There is no embedding model to search with: run 'localpers models pull "
                "all-minilm-l6-v2', or choose --retriever bm25."
            )
        top = rank_by_vector(self._store, self._encoder(), query.topic, k)
        passages = self._store.documents.passages(id for id, _ in top)
        return [
            Scored(passages[id], cosine, Reason(ranks=Ranks(None, rank)))
            for rank, (id, cosine) in enumerate(top, 1)
        ]

    def _fused(self, by_words: list[Scored], query: Query, depth: int) -> list[Scored]:
        """With the first `depth` by vector, best first."""
        by_vector = self._by_vector(query, depth)
        hits = {hit.passage.id: hit for hit in by_vector}
        for rank, hit in enumerate(by_words, 1):
            other = hits.get(hit.passage.id)
            vectors = other.reason.ranks.vectors if other and other.reason.ranks else None
            reason = replace(hit.reason, ranks=Ranks(rank, vectors))
            hits[hit.passage.id] = replace(hit, reason=reason)
        rankings = (
            ([hit.passage.id for hit in by_words], 1.0),
            ([hit.passage.id for hit in by_vector], VECTOR_WEIGHT * fading(len(query.terms))),
        )
        return [replace(hits[id], score=score) for id, score in fuse(rankings)]

    def _with_rest(
        self, fused: list[Scored], lots: Iterable[Iterable[Scored]]
    ) -> Iterator[list[Scored]]:
        """The fused hits, then in lots what ranks by words behind all of them."""
        yield fused
        given = {hit.passage.id for hit in fused}
        lowest = fused[-1].score if fused else 0.0
        for lot in lots:
            others = [hit for hit in lot if hit.passage.id not in given]
            given.update(hit.passage.id for hit in others)
            yield [replace(hit, score=lowest / (2 + n)) for n, hit in enumerate(others)]

    def _with_terms(self, query: Query, hits: list[Scored]) -> list[Scored]:
        ids = [hit.passage.id for hit in hits]
        found = Lookup(self._store.postings, query.terms).among(ids)
        scores = found.alone(ids)
        return [
            replace(
                hit,
                reason=Reason(
                    tuple(
                        TermScore(term, "text", score)
                        for term, score in zip(found.terms, scores[:, at].tolist(), strict=True)
                        if score
                    )
                ),
            )
            for at, hit in enumerate(hits)
        ]


def _retrieved(rank: int, hit: Scored) -> RetrievedPassage:
    passage = hit.passage
    return RetrievedPassage(
        rank=rank,
        score=hit.score,
        document=passage.document,
        path=passage.path,
        title=passage.title,
        date=passage.date,
        start=passage.start,
        end=passage.end,
        text=passage.text,
        line=passage.line,
        page=passage.page,
    )

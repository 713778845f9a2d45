"""Retriever: a query in, ranked passages out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from localpers.datatypes import RetrievedPassage
from localpers.retrieval.auto import Reason, Scored, TermScore, rank_auto
from localpers.retrieval.bm25 import rank_passages, score_passages
from localpers.retrieval.query import Query, plain, understand
from localpers.store import Store


class Method(StrEnum):
    """How passages are ranked.

    `bm25` is exact BM25 of the passages' text; `auto` starts from it, lets titles, headings, tags
    and dates count and keeps repetitions out; `recency` goes by document date alone.
    """

    AUTO = "auto"
    BM25 = "bm25"
    RECENCY = "recency"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was looked for, and why each of the passages found ranks where it does."""

    query: Query
    idf: dict[str, float]
    passages: list[RetrievedPassage]
    reasons: list[Reason]


class Retriever:
    """Ranks the passages of one store. Relative dates in queries count from `today`."""

    def __init__(self, store: Store, today: date | None = None) -> None:
        self._store = store
        self._today = today or date.today()

    def search(
        self, query: str, k: int = 10, retriever: str = Method.AUTO
    ) -> list[RetrievedPassage]:
        """The k best passages for `query`, best first; fewer where fewer hold any of its terms.

        `recency` ranks by document date alone; its score is 1 / rank. The query is plain text:
        no character in it has a meaning of its own.
        """
        with self._store.snapshot():
            method = Method(retriever)
            hits = self._rank(self._understood(query, method), k, method)
        return [_retrieved(rank, hit) for rank, hit in enumerate(hits, 1)]

    def explain(self, query: str, k: int = 10, retriever: str = Method.AUTO) -> Explanation:
        """`search`, and why."""
        with self._store.snapshot():
            method = Method(retriever)
            understood = self._understood(query, method)
            hits = self._rank(understood, k, method)
            if method is Method.BM25:
                hits = self._with_terms(understood, hits)
            idf = rank_passages(self._store.postings, understood.terms, 1).idf
        return Explanation(
            query=understood,
            idf={term: idf.get(term, 0.0) for term in understood.terms},
            passages=[_retrieved(rank, hit) for rank, hit in enumerate(hits, 1)],
            reasons=[hit.reason for hit in hits],
        )

    def _understood(self, query: str, method: Method) -> Query:
        if method is Method.RECENCY:
            return Query({}, frozenset())
        languages = self._store.documents.languages()
        if method is Method.BM25:
            return plain(query, languages)
        return understand(query, languages, self._today)

    def _rank(self, query: Query, k: int, method: Method) -> list[Scored]:
        if method is Method.AUTO:
            return rank_auto(self._store, query, k)
        if method is Method.RECENCY:
            newest = self._store.documents.newest_passages(k)
            top = [(id, 1 / rank) for rank, id in enumerate(newest, 1)]
        else:
            top = list(rank_passages(self._store.postings, query.terms, k).top)
        passages = self._store.documents.passages(id for id, _ in top)
        return [Scored(passages[id], score, Reason()) for id, score in top]

    def _with_terms(self, query: Query, hits: list[Scored]) -> list[Scored]:
        ids = [hit.passage.id for hit in hits]
        found = score_passages(self._store.postings, query.terms, ids)
        return [
            Scored(
                hit.passage,
                hit.score,
                Reason(
                    tuple(
                        TermScore(term, "text", scores[hit.passage.id])
                        for term, scores in found.items()
                        if hit.passage.id in scores
                    )
                ),
            )
            for hit in hits
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

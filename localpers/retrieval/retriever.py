"""Retriever: a query in, ranked passages out."""

from __future__ import annotations

from enum import StrEnum

from localpers.datatypes import RetrievedPassage
from localpers.retrieval.analysis import query_terms
from localpers.retrieval.bm25 import top_passages
from localpers.store import Store


class Method(StrEnum):
    """How passages are ranked. `auto` is the best that is measured for the profile."""

    AUTO = "auto"
    BM25 = "bm25"
    RECENCY = "recency"


class Retriever:
    """Ranks the passages of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def search(
        self, query: str, k: int = 10, retriever: str = Method.AUTO
    ) -> list[RetrievedPassage]:
        """The k best passages for `query`, best first; fewer where fewer hold any of its terms.

        `recency` ranks by document date alone; its score is 1 / rank. The query is plain text:
        no character in it has a meaning of its own.
        """
        with self._store.snapshot():
            ranked = self._rank(query, k, Method(retriever))
            passages = self._store.documents.passages(id for id, _ in ranked)
        return [
            RetrievedPassage(
                rank=rank,
                score=score,
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
            for rank, (id, score) in enumerate(ranked, 1)
            for passage in [passages[id]]
        ]

    def _rank(self, query: str, k: int, method: Method) -> list[tuple[int, float]]:
        if method is Method.RECENCY:
            newest = self._store.documents.newest_passages(k)
            return [(id, 1 / rank) for rank, id in enumerate(newest, 1)]
        terms = query_terms(query, self._store.documents.languages())
        return top_passages(self._store.postings, terms, k)

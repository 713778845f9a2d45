"""`recency`: the newest documents, whatever the query; the score is 1 / rank."""

from __future__ import annotations

from localpers.retrieval.hits import Hit
from localpers.retrieval.query import Query, QueryParser
from localpers.retrieval.retrievers.protocol import Index


class Recency:
    name = "recency"
    needs_vectors = False

    def parse(self, parser: QueryParser, text: str) -> Query:
        return Query({}, ())

    def embeds(self, index: Index, query: Query) -> bool:
        return False

    def rank(self, index: Index, query: Query, k: int) -> list[Hit]:
        newest = index.store.documents.newest_passages(k)
        passages = index.store.documents.passages(newest)
        return [Hit(passages[id], 1 / rank) for rank, id in enumerate(newest, 1)]

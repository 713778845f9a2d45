"""`bm25`: exact BM25 of the passages' text."""

from __future__ import annotations

from localpers.retrieval.bm25 import Lookup
from localpers.retrieval.hits import Hit
from localpers.retrieval.query import Query, QueryParser
from localpers.retrieval.retrievers.protocol import Index


class BM25:
    name = "bm25"
    needs_vectors = False

    def parse(self, parser: QueryParser, text: str) -> Query:
        return parser.parse_words(text)

    def embeds(self, index: Index, query: Query) -> bool:
        return False

    def rank(self, index: Index, query: Query, k: int) -> list[Hit]:
        top = Lookup(index.store.postings, query.terms, query.forms).rank(k)
        passages = index.store.documents.passages(id for id, _ in top)
        return [Hit(passages[id], score) for id, score in top]

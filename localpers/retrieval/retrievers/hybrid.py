"""`hybrid`: the rankings by words and by vectors, fused by document."""

from __future__ import annotations

from localpers.retrieval.fusion import fuse_by_document
from localpers.retrieval.hits import Hit
from localpers.retrieval.query import Query, QueryParser
from localpers.retrieval.repetitions import deduplicate
from localpers.retrieval.retrievers.protocol import Index


class Hybrid:
    name = "hybrid"
    needs_vectors = True

    def parse(self, parser: QueryParser, text: str) -> Query:
        return parser.parse(text)

    def embeds(self, index: Index, query: Query) -> bool:
        return True

    def rank(self, index: Index, query: Query, k: int) -> list[Hit]:
        return deduplicate(fuse_by_document(index.store, index.encoder(), query, k), k)

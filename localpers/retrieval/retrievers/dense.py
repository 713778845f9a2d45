"""`dense`: the cosine of each passage's vector with the query's."""

from __future__ import annotations

from localpers.retrieval.dense import rank_by_vector
from localpers.retrieval.hits import Hit, Ranks, Reason
from localpers.retrieval.query import Query, QueryParser
from localpers.retrieval.retrievers.protocol import Index


class Dense:
    name = "dense"
    needs_vectors = True

    def parse(self, parser: QueryParser, text: str) -> Query:
        parsed = parser.parse(text)
        return Query({}, (), parsed.topic or text, ignored=parsed.ignored)

    def embeds(self, index: Index, query: Query) -> bool:
        return True

    def rank(self, index: Index, query: Query, k: int) -> list[Hit]:
        top = rank_by_vector(index.store, index.encoder(), query.topic, k)
        passages = index.store.documents.passages(id for id, _ in top)
        return [
            Hit(passages[id], cosine, Reason(ranks=Ranks(None, rank)))
            for rank, (id, cosine) in enumerate(top, 1)
        ]

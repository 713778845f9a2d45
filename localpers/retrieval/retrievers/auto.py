"""`auto`: words, titles and dates; fused with vectors where the encoder speaks the notes' language.

Every passage has some cosine, so it is the words that tell whether the notes hold anything: `auto`
finds nothing where no word is found. Of a query by date alone the dates decide.
"""

from __future__ import annotations

from localpers.retrieval.fusion import fuse_by_document
from localpers.retrieval.hits import Hit
from localpers.retrieval.lexical import score_by_words
from localpers.retrieval.query import Query, QueryParser
from localpers.retrieval.repetitions import deduplicate
from localpers.retrieval.retrievers.protocol import Index


class Auto:
    name = "auto"
    needs_vectors = False

    def parse(self, parser: QueryParser, text: str) -> Query:
        return parser.parse(text)

    def embeds(self, index: Index, query: Query) -> bool:
        return index.reads(query.topic) and not query.by_date_alone

    def rank(self, index: Index, query: Query, k: int) -> list[Hit]:
        if self.embeds(index, query):
            batches = fuse_by_document(index.store, index.encoder(), query, k, needs_words=True)
            return deduplicate(batches, k)
        return deduplicate(score_by_words(index.store, query, k), k)

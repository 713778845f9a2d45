"""Retriever: a query in, ranked passages out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import StrEnum

from localpers.datatypes import RetrievedPassage
from localpers.errors import LocalpersError
from localpers.retrieval.analysis import analyse, query_terms
from localpers.retrieval.bm25 import rank_passages
from localpers.retrieval.dense import TextEncoder, rank_by_vector
from localpers.retrieval.fusion import fuse
from localpers.store import Store

CANDIDATES = 50
"""How many of BM25's best `auto` looks at again, at least."""
TITLE_WEIGHT = 0.5
"""Of a query term's idf, added to the score where the document's title holds the term."""
MOST_PER_DOCUMENT = 2
"""Passages of one document among the hits, as long as other documents have any."""


class Method(StrEnum):
    """How passages are ranked.

    `bm25` is exact BM25 of the passages' text; `auto` starts from it, lets titles count and does
    not let one document crowd out the others; `dense` is the cosine of vectors, `hybrid` fuses the
    words of `auto` with it; `recency` goes by document date alone.
    """

    AUTO = "auto"
    BM25 = "bm25"
    DENSE = "dense"
    HYBRID = "hybrid"
    RECENCY = "recency"


USES_VECTORS = frozenset({Method.DENSE, Method.HYBRID})


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
        self._auto_is_hybrid = auto_is_hybrid and encoder is not None

    def search(
        self, query: str, k: int = 10, retriever: str = Method.AUTO
    ) -> list[RetrievedPassage]:
        """The k best passages for `query`, best first; fewer where fewer hold any of its terms.

        `recency` ranks by document date alone; its score is 1 / rank. The query is plain text:
        no character in it has a meaning of its own. Raises LocalpersError for `dense` and `hybrid`
        without an encoder.
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
        if method is Method.DENSE:
            return self._by_vector(query, k)
        if method is Method.HYBRID or (method is Method.AUTO and self._auto_is_hybrid):
            depth = max(CANDIDATES, 2 * k)
            words = self._by_words(query, depth, Method.AUTO)
            # Every passage has some cosine; that words are found is what tells that any answers.
            if not words and method is Method.AUTO:
                return []
            rankings = (words, self._by_vector(query, depth))
            return fuse([id for id, _ in ranking] for ranking in rankings)[:k]
        return self._by_words(query, k, method)

    def _by_vector(self, query: str, k: int) -> list[tuple[int, float]]:
        if self._encoder is None:
            raise LocalpersError(
                "There is no embedding model to search with: run 'localpers models pull "
                "all-minilm-l6-v2', or choose --retriever bm25."
            )
        return rank_by_vector(self._store, self._encoder(), query, k)

    def _by_words(self, query: str, k: int, method: Method) -> list[tuple[int, float]]:
        languages = self._store.documents.languages()
        terms = query_terms(query, languages)
        if method is Method.BM25:
            return list(rank_passages(self._store.postings, terms, k).top)
        return self._auto(terms, languages, k)

    def _auto(self, terms: list[str], languages: list[str], k: int) -> list[tuple[int, float]]:
        ranking = rank_passages(self._store.postings, terms, max(CANDIDATES, 5 * k))
        passages = self._store.documents.passages(id for id, _ in ranking.top)
        scored: list[tuple[int, float]] = []
        for id, score in ranking.top:
            title = {t for language in languages for t in analyse(passages[id].title, language)}
            told = sum(idf for term, idf in ranking.idf.items() if term in title)
            scored.append((id, score + TITLE_WEIGHT * told))
        scored.sort(key=lambda hit: (-hit[1], hit[0]))
        taken: Counter[int] = Counter()
        first: list[tuple[int, float]] = []
        crowd: list[tuple[int, float]] = []
        for hit in scored:
            document = passages[hit[0]].document
            taken[document] += 1
            (first if taken[document] <= MOST_PER_DOCUMENT else crowd).append(hit)
        chosen = (first + crowd)[:k]
        return sorted(chosen, key=lambda hit: (-hit[1], hit[0]))

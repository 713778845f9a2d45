"""Rankings by name: localpers' own retrievers, each with `+rerank` if wanted, and a baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import cached_property
from typing import Any

from localpers.datatypes import Document, RetrievedPassage
from localpers.evaluation.effectiveness.collection import Query, Unit
from localpers.evaluation.effectiveness.known_item import passage_id
from localpers.evaluation.effectiveness.metrics import DEPTH
from localpers.retrieval.rerank import Reranker, rerank
from localpers.retrieval.retriever import Retriever
from localpers.retrieval.retrievers import RETRIEVERS

BASELINE = "rank_bm25"
"""BM25Plus of that package over whole documents, lower-cased and cut at white space: what one gets
without thinking about it."""
RERANKED = "+rerank"
_MOST_PASSAGES = 3200
"""Asked for to find DEPTH documents, at most."""


def is_ranking(name: str) -> bool:
    return name == BASELINE or name.removesuffix(RERANKED) in RETRIEVERS


def use_vectors(names: Iterable[str]) -> bool:
    return any(
        name != BASELINE and RETRIEVERS[name.removesuffix(RERANKED)].needs_vectors for name in names
    )


def use_reranker(names: Iterable[str]) -> bool:
    return any(name.endswith(RERANKED) for name in names)


class Rankings:
    """Ranks one collection's documents or passages; ids are those of its judgements. Relative times
    in queries count from `today`.
    """

    def __init__(
        self,
        retriever: Retriever,
        unit: Unit,
        documents: Callable[[], Iterable[tuple[str, Document]]],
        today: date,
        reranker: Reranker | None = None,
    ) -> None:
        self._retriever = retriever
        self._unit = unit
        self._documents = documents
        self._today = today
        self._reranker = reranker

    def can(self, name: str) -> bool:
        """Whether the retriever ranks what is judged: the baseline knows whole documents only."""
        return name != BASELINE or self._unit is Unit.DOCUMENT

    def of(self, name: str, query: Query) -> list[str]:
        """At most DEPTH ids, best first. What is called as the query is left out, as BEIR does, but
        not where it is relevant: then both were just numbered alike.
        """
        ranked = self._by_baseline(query) if name == BASELINE else self._by_retriever(name, query)
        itself = query.id if query.judgements.get(query.id, 0) <= 0 else None
        return [id for id in ranked if id != itself][:DEPTH]

    def _by_retriever(self, name: str, query: Query) -> list[str]:
        hits = self._hits(query.text, name.removesuffix(RERANKED))
        if name.endswith(RERANKED):
            assert self._reranker is not None
            hits = rerank(self._reranker, query.text, hits, len(hits))
        return self._ids(hits)

    def _hits(self, text: str, method: str) -> list[RetrievedPassage]:
        """Passages enough for DEPTH ids, as far as there are any."""
        asked = 2 * DEPTH
        while True:
            hits = self._retriever.search(text, asked, method, today=self._today)
            enough = len(self._ids(hits)) > DEPTH
            if enough or len(hits) < asked or asked >= _MOST_PASSAGES:
                return hits
            asked *= 2

    def _ids(self, hits: Sequence[RetrievedPassage]) -> list[str]:
        if self._unit is Unit.PASSAGE:
            return [passage_id(hit.path, hit.start) for hit in hits]
        return list(dict.fromkeys(hit.path for hit in hits))

    def _by_baseline(self, query: Query) -> list[str]:
        ids, bm25 = self._baseline
        if bm25 is None:
            return []
        scores = bm25.get_scores(query.text.lower().split())
        return [ids[at] for at in (-scores).argsort(kind="stable")[: DEPTH + 1]]

    @cached_property
    def _baseline(self) -> tuple[list[str], Any]:
        from rank_bm25 import BM25Plus

        ids: list[str] = []
        words: list[list[str]] = []
        for id, document in self._documents():
            ids.append(id)
            words.append(document.text.lower().split())
        return ids, BM25Plus(words) if any(words) else None

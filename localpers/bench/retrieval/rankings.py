"""Rankings by name: localpers' retrievers, each with `+rerank` if wanted, and a baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import Any

from localpers.assistant.assistant import Assistant
from localpers.bench.retrieval.collection import Collection, Query, Unit, passage_id
from localpers.datatypes import RetrievedPassage, StoredDocument
from localpers.retrieval.retriever import Retriever
from localpers.retrieval.retrievers import RETRIEVERS, need_vectors

BASELINE = "rank_bm25"
"""BM25Plus of that package over whole documents, lower-cased and split at white space: the obvious
first attempt."""
RERANKED = "+rerank"
DEPTH = 100
"""Ranks that count."""
_MOST_PASSAGES = 3200
"""The most passages asked for to find DEPTH documents."""


def is_ranking(name: str) -> bool:
    return name == BASELINE or name.removesuffix(RERANKED) in RETRIEVERS


def use_vectors(names: Iterable[str]) -> bool:
    return need_vectors(name.removesuffix(RERANKED) for name in names if name != BASELINE)


def use_reranker(names: Iterable[str]) -> bool:
    return any(name.endswith(RERANKED) for name in names)


class CollectionNotes:
    """The Notes of an Assistant; relative dates in queries count from `today`."""

    lexicon = None

    def __init__(self, retriever: Retriever, today: date) -> None:
        self._retriever = retriever
        self._today = today

    def find(self, query: str, k: int, retriever: str) -> Sequence[RetrievedPassage]:
        return self._retriever.search(query, k, retriever, today=self._today)

    def documents(self, ids: Iterable[int]) -> Mapping[int, StoredDocument]:
        return {}

    def closeness(self, query: str, ids: Sequence[int]) -> None:
        pass

    def similarities(self, query: str, texts: Sequence[str]) -> None:
        pass

    def close(self) -> None:
        pass


class Rankings:
    """Ranks a collection's documents or passages; ids are those of its judgements."""

    def __init__(self, assistant: Assistant, collection: Collection) -> None:
        self._assistant = assistant
        self._collection = collection

    def can(self, name: str) -> bool:
        """Whether the retriever ranks what is judged: the baseline knows whole documents only."""
        return name != BASELINE or self._collection.unit is Unit.DOCUMENT

    def of(self, name: str, query: Query) -> list[str]:
        """At most DEPTH ids, best first. The document with the query's own id is left out, as in
        BEIR, unless it is judged relevant: then both were just numbered alike.
        """
        ranked = self._by_baseline(query) if name == BASELINE else self._by_retriever(name, query)
        itself = query.id if query.judgements.get(query.id, 0) <= 0 else None
        return [id for id in ranked if id != itself][:DEPTH]

    def _by_retriever(self, name: str, query: Query) -> list[str]:
        retriever, k = name.removesuffix(RERANKED), 2 * DEPTH
        while True:
            hits = self._assistant.search(query.text, k, retriever)
            if len(self._ids(hits)) > DEPTH or len(hits) < k or k >= _MOST_PASSAGES:
                break
            k *= 2
        if name.endswith(RERANKED):
            hits = self._assistant.search(query.text, k, retriever, "likelihood")
        return self._ids(hits)

    def _ids(self, hits: Sequence[RetrievedPassage]) -> list[str]:
        if self._collection.unit is Unit.PASSAGE:
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

        documents = list(self._collection.documents())
        words = [document.text.lower().split() for _, document in documents]
        return [id for id, _ in documents], BM25Plus(words) if any(words) else None

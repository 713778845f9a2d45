"""The registry of retrievers. A new one is an object in a file of its own, and a name here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from localpers.errors import LocalpersError
from localpers.retrieval.retrievers.auto import Auto
from localpers.retrieval.retrievers.bm25 import BM25
from localpers.retrieval.retrievers.dense import Dense
from localpers.retrieval.retrievers.hybrid import Hybrid
from localpers.retrieval.retrievers.protocol import Index, RankingMethod
from localpers.retrieval.retrievers.recency import Recency

__all__ = ["RETRIEVERS", "Index", "RankingMethod", "need_vectors", "retriever_called"]

RETRIEVERS: Mapping[str, RankingMethod] = {
    method.name: method for method in (Auto(), BM25(), Dense(), Hybrid(), Recency())
}


def retriever_called(name: str) -> RankingMethod:
    """Raises LocalpersError for an unknown name."""
    if name not in RETRIEVERS:
        names = ", ".join(RETRIEVERS)
        raise LocalpersError(f"'{name}' is not a retriever: choose one of {names}.")
    return RETRIEVERS[name]


def need_vectors(names: Iterable[str]) -> bool:
    """Whether any of these retrievers cannot work without vectors."""
    return any(retriever_called(name).needs_vectors for name in names)

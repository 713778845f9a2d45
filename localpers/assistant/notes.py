"""Where an Assistant finds passages: a profile's index, or whatever a caller puts in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import Protocol

from localpers.assistant.attribution import Lexicon
from localpers.datatypes import RetrievedPassage, StoredDocument
from localpers.embedding import choose_encoder, open_retriever, opened_encoder
from localpers.errors import ModelNotFound
from localpers.profile import Profile
from localpers.retrieval import lexicon
from localpers.retrieval.dense import TextEncoder
from localpers.retrieval.rerank import DEPTH, Reranker, rerank
from localpers.retrieval.retriever import Explanation
from localpers.store import Store

Progress = Callable[[int, int], None]


class Notes(Protocol):
    """A source of passages. `lexicon` is the index's vocabulary, None where there is none."""

    @property
    def lexicon(self) -> Lexicon | None: ...

    def find(self, query: str, k: int, retriever: str) -> Sequence[RetrievedPassage]:
        """The best `k` passages for `query`, best first."""

    def documents(self, ids: Iterable[int]) -> Mapping[int, StoredDocument]:
        """The whole documents with these ids, as far as they are there."""

    def similarities(self, query: str, texts: Sequence[str]) -> Sequence[float] | None:
        """The cosine of each text's vector to the query's; None without an encoder."""

    def close(self) -> None: ...


class ProfileNotes:
    """The indexed notes of a profile, opened when first needed."""

    def __init__(self, profile: Profile, on_progress: Progress | None = None) -> None:
        self._profile = profile
        self._on_progress = on_progress
        self._stack = ExitStack()

    @cached_property
    def store(self) -> Store:
        return self._stack.enter_context(Store.open(self._profile))

    @cached_property
    def lexicon(self) -> Lexicon | None:
        return lexicon.Lexicon(self.store)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is indexed."""
        return not self.store.documents.count()

    def find(self, query: str, k: int, retriever: str) -> list[RetrievedPassage]:
        with open_retriever(self.store, (retriever,), self._profile, self._on_progress) as opened:
            return opened.search(query, k, retriever)

    def documents(self, ids: Iterable[int]) -> dict[int, StoredDocument]:
        return self.store.documents.get(ids)

    @cached_property
    def encoder(self) -> TextEncoder | None:
        """The embedding model for these notes, if one is installed."""
        try:
            return self._stack.enter_context(opened_encoder(choose_encoder(self.store)))
        except ModelNotFound:
            return None

    def similarities(self, query: str, texts: Sequence[str]) -> list[float] | None:
        encoder = self.encoder
        if encoder is None:
            return None
        prefixed = [encoder.passage_prefix + text for text in texts]
        vectors = encoder.encode([encoder.query_prefix + query, *prefixed])
        return [float(cosine) for cosine in vectors[1:] @ vectors[0]]

    def explain(self, query: str, k: int, retriever: str) -> Explanation:
        """`find`, and why."""
        with open_retriever(self.store, (retriever,), self._profile, self._on_progress) as opened:
            return opened.explain(query, k, retriever)

    def close(self) -> None:
        self._stack.close()


def find_reranked(
    notes: Notes, query: str, k: int, retriever: str, reranker: Reranker
) -> list[RetrievedPassage]:
    """The best `k` passages after `reranker` has judged the first DEPTH."""
    hits = notes.find(query, max(k, DEPTH), retriever)
    return rerank(reranker, query, hits, k)

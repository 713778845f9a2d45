"""Where an Assistant finds passages: a profile's index, or whatever a caller puts in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from localpers.assistant.attribution import Lexicon
from localpers.datatypes import RetrievedPassage, StoredDocument
from localpers.embedding import open_retriever
from localpers.profile import Profile
from localpers.retrieval import lexicon
from localpers.retrieval.dense import TextEncoder
from localpers.retrieval.rerank import DEPTH, Reranker, rerank
from localpers.retrieval.retriever import Explanation, Retriever
from localpers.store import Store

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Progress = Callable[[int, int], None]
Closeness = tuple[tuple[tuple[int, int], float], ...]
"""((start, end) of a passage, cosine) in a document."""


class Notes(Protocol):
    """A source of passages. `lexicon` is the index's vocabulary, None where there is none."""

    @property
    def lexicon(self) -> Lexicon | None: ...

    def find(self, query: str, k: int, retriever: str) -> Sequence[RetrievedPassage]:
        """The best `k` passages for `query`, best first."""

    def documents(self, ids: Iterable[int]) -> Mapping[int, StoredDocument]:
        """The whole documents with these ids, as far as they are there."""

    def closeness(self, query: str, ids: Sequence[int]) -> Mapping[int, Closeness] | None:
        """The cosine of the query to each passage of each document; None without vectors."""

    def similarities(self, query: str, texts: Sequence[str]) -> Sequence[float] | None:
        """The cosine of each text's vector to the query's; None without an encoder."""

    def close(self) -> None: ...


class ProfileNotes:
    """The indexed notes of a profile, opened when first needed."""

    def __init__(self, profile: Profile, on_progress: Progress | None = None) -> None:
        self._profile = profile
        self._on_progress = on_progress
        self._stack = ExitStack()
        self._retrievers: dict[str, Retriever] = {}
        self._embedded: tuple[str, npt.NDArray[np.float32]] | None = None

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

    def first_time(self, what: str) -> bool:
        """Whether this is asked for the first time in this profile."""
        if self.store.meta(what) is not None:
            return False
        with self.store.transaction():
            self.store.set_meta(what, "said")
        return True

    def find(self, query: str, k: int, retriever: str) -> list[RetrievedPassage]:
        return self._retriever(retriever).search(query, k, retriever)

    def documents(self, ids: Iterable[int]) -> dict[int, StoredDocument]:
        return self.store.documents.get(ids)

    def closeness(self, query: str, ids: Sequence[int]) -> dict[int, Closeness] | None:
        encoder = self._retriever("auto").encoder
        if encoder is None or not query.strip():
            return None
        vector = self._query_vector(query, encoder)
        found: dict[int, Closeness] = {}
        for id in ids:
            spans, vectors = self.store.vectors.spans_of(id)
            cosines = [] if vectors is None else (vectors @ vector).tolist()
            found[id] = tuple(zip(spans, cosines, strict=True))
        return found

    def similarities(self, query: str, texts: Sequence[str]) -> list[float] | None:
        encoder = self._retriever("auto").encoder
        if encoder is None or not query.strip():
            return None
        vectors = encoder.encode([encoder.passage_prefix + text for text in texts])
        return [float(one) for one in vectors @ self._query_vector(query, encoder)]

    def _query_vector(self, query: str, encoder: TextEncoder) -> npt.NDArray[np.float32]:
        if self._embedded is None or self._embedded[0] != query:
            self._embedded = query, encoder.encode([encoder.query_prefix + query])[0]
        return self._embedded[1]

    def _retriever(self, name: str) -> Retriever:
        if name not in self._retrievers:
            opened = open_retriever(self.store, (name,), self._profile, self._on_progress)
            self._retrievers[name] = self._stack.enter_context(opened)
        return self._retrievers[name]

    def explain(self, query: str, k: int, retriever: str) -> Explanation:
        """`find`, and why."""
        return self._retriever(retriever).explain(query, k, retriever)

    def close(self) -> None:
        self._stack.close()


def find_reranked(
    notes: Notes, query: str, k: int, retriever: str, reranker: Reranker
) -> list[RetrievedPassage]:
    """The best `k` passages after `reranker` has judged the first DEPTH."""
    hits = notes.find(query, max(k, DEPTH), retriever)
    return rerank(reranker, query, hits, k)

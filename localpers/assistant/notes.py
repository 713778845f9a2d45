"""Where an Assistant finds passages: a profile's index, or whatever a caller puts in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import Protocol

from localpers.assistant.attribution import Lexicon
from localpers.assistant.similarity import Closeness, Similarity
from localpers.datatypes import RetrievedPassage, StoredDocument
from localpers.embedding import open_retriever
from localpers.errors import ProfileBusy
from localpers.profile import Profile
from localpers.retrieval import lexicon
from localpers.retrieval.rerank import DEPTH, Reranker, rerank
from localpers.retrieval.retriever import Explanation, Retriever
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

    def closeness(self, query: str, ids: Sequence[int]) -> Mapping[int, Closeness] | None:
        """The cosine of the query to each passage of each document; None without vectors."""

    def similarities(self, query: str, texts: Sequence[str]) -> Sequence[float] | None:
        """The cosine of each text's vector to the query's; None without an encoder."""

    def close(self) -> None: ...


class NoNotes:
    """For callers that give passages or examples themselves."""

    lexicon: Lexicon | None = None

    def find(self, _query: str, _k: int, _retriever: str) -> list[RetrievedPassage]:
        return []

    def documents(self, _ids: Iterable[int]) -> dict[int, StoredDocument]:
        return {}

    def closeness(self, _query: str, _ids: Sequence[int]) -> None:
        return None

    def similarities(self, _query: str, _texts: Sequence[str]) -> None:
        return None

    def close(self) -> None:
        """Nothing is open."""


class ProfileNotes:
    """The indexed notes of a profile, opened when first needed."""

    def __init__(self, profile: Profile, on_progress: Progress | None = None) -> None:
        self._profile = profile
        self._on_progress = on_progress
        self._stack = ExitStack()
        self._retrievers: dict[str, Retriever] = {}

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
        """Whether this is asked for the first time in this profile; False while another command
        writes, which `ask` must not wait for.
        """
        if self.store.meta(what) is not None:
            return False
        try:
            with self._profile.writing("ask", wait=0), self.store.transaction():
                self.store.set_meta(what, "said")
        except ProfileBusy:
            return False
        return True

    def find(self, query: str, k: int, retriever: str) -> list[RetrievedPassage]:
        return self._retriever(retriever).search(query, k, retriever)

    def documents(self, ids: Iterable[int]) -> dict[int, StoredDocument]:
        return self.store.documents.get(ids)

    @cached_property
    def _similarity(self) -> Similarity:
        return Similarity(self.store, self._retriever("auto"))

    def closeness(self, query: str, ids: Sequence[int]) -> dict[int, Closeness] | None:
        return self._similarity.closeness(query, ids)

    def similarities(self, query: str, texts: Sequence[str]) -> list[float] | None:
        return self._similarity.similarities(query, texts)

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

"""The protocol of retrievers, and the index that they rank."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from localpers.errors import LocalpersError
from localpers.retrieval.dense import TextEncoder
from localpers.retrieval.hits import Hit
from localpers.retrieval.query import Query, QueryParser
from localpers.store import Store


@dataclass(frozen=True, slots=True)
class Index:
    """A store with the embedding model of its vectors, if there is one. `speaks_notes` says whether
    the model was made for the language of most notes.
    """

    store: Store
    open_encoder: Callable[[], TextEncoder] | None = None
    speaks_notes: bool = False

    def encoder(self) -> TextEncoder:
        """Raises LocalpersError where there is none."""
        if self.open_encoder is None:
            raise LocalpersError(
                "There is no embedding model to search with: run 'localpers models pull "
                "all-minilm-l6-v2', or choose --retriever bm25."
            )
        return self.open_encoder()


class RankingMethod(Protocol):
    """One way to rank passages. `needs_vectors` says that it cannot work without them."""

    @property
    def name(self) -> str: ...

    @property
    def needs_vectors(self) -> bool: ...

    def parse(self, parser: QueryParser, text: str) -> Query:
        """The query as this method understands it."""

    def embeds(self, index: Index, query: Query) -> bool:
        """Whether the query's topic is embedded."""

    def rank(self, index: Index, query: Query, k: int) -> list[Hit]:
        """The best k passages, best first."""

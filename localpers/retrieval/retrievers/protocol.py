"""The protocol of retrievers, and the index that they rank."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from localpers.errors import LocalpersError
from localpers.retrieval.dense import TextEncoder
from localpers.retrieval.hits import Hit
from localpers.retrieval.query import Query, QueryParser
from localpers.store import Store

OTHER_SCRIPTS = frozenset(
    {"ar", "bg", "el", "fa", "he", "hi", "hy", "ja", "ka", "ko", "ne", "ru", "sr", "ta", "th", "uk",
     "ur", "zh"}
)  # fmt: skip
"""Languages that are not written in Latin letters, ISO 639-1."""
FOREIGN_SHARE = 0.3
"""Of a query's letters in another script, from which on such an encoder is no help."""


@dataclass(frozen=True, slots=True)
class Index:
    """A store with the embedding model of its vectors, if there is one. `speaks_notes` says whether
    the model was made for the language of most notes; `languages` are the model's (ISO 639-1), none
    where nobody stated them.
    """

    store: Store
    open_encoder: Callable[[], TextEncoder] | None = None
    speaks_notes: bool = False
    languages: Sequence[str] = ()

    def reads(self, text: str) -> bool:
        """Whether the model, if there is one, was made for the notes and for the text's script."""
        if self.open_encoder is None or not self.speaks_notes:
            return False
        letters = [character for character in text if character.isalpha()]
        foreign = sum(not _is_latin(character) for character in letters)
        latin_only = bool(self.languages) and OTHER_SCRIPTS.isdisjoint(self.languages)
        return not (latin_only and foreign > FOREIGN_SHARE * len(letters))

    def encoder(self) -> TextEncoder:
        """Raises LocalpersError where there is none."""
        if self.open_encoder is None:
            raise LocalpersError(
                "There is no embedding model to search with: run 'localpers models pull "
                "all-minilm-l6-v2', or choose --retriever bm25."
            )
        return self.open_encoder()


def _is_latin(character: str) -> bool:
    return character.isascii() or unicodedata.name(character, "").startswith("LATIN")


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

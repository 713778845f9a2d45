"""What retrievers return: passages with a score and the reason for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from localpers.store.documents import StoredPassage


@dataclass(frozen=True, slots=True)
class TermScore:
    """What a term adds. `part` is `text`, `document` (all its text), `opening` (its first passage)
    or `fields` (title, headings, tags).
    """

    term: str
    part: str
    score: float


@dataclass(frozen=True, slots=True)
class Ranks:
    """Where a document stands by words and by vectors, from 1; None where it is not listed."""

    words: int | None
    vectors: int | None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a passage ranks where it does: the sum of `terms`, times one plus `time` and `recency`;
    where rankings are fused, by its document's `ranks`.
    """

    terms: tuple[TermScore, ...] = ()
    time: float = 0.0
    recency: float = 0.0
    ranks: Ranks | None = None
    copies: tuple[str, ...] = ()
    """Paths of documents that hold nearly the same passage and are left out for it."""


@dataclass(frozen=True, slots=True)
class Hit:
    passage: StoredPassage
    score: float
    reason: Reason = field(default_factory=Reason)

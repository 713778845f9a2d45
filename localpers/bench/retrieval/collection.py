"""A test collection: documents, queries, and which documents are relevant to which query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from localpers.datatypes import Document


class Unit(StrEnum):
    """What judgements are about; a document ranks where its best passage does."""

    DOCUMENT = "document"
    PASSAGE = "passage"


@dataclass(frozen=True, slots=True)
class Query:
    """`judgements`: id of a document (or passage) → grade, above 0 where it is relevant."""

    id: str
    text: str
    judgements: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Collection:
    """`documents` reads them again at each call, as (id, Document), in the same order;
    `fingerprint` changes with any of them. `remarks` tell the user about the judgements.
    """

    name: str
    documents: Callable[[], Iterator[tuple[str, Document]]]
    size: int
    fingerprint: str
    queries: tuple[Query, ...] = ()
    unit: Unit = Unit.DOCUMENT
    split: str = ""
    remarks: tuple[str, ...] = ()


def passage_id(document: str, start: int) -> str:
    """How judgements name a passage: its document's id and where it begins."""
    return f"{document}@{start}"

"""Which documents are learned from and which are held out to judge by."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from localpers.datatypes import StoredDocument

MOSTLY = 0.5
"""Share of documents with a date of their own from which on the split is by time."""
FEWEST = 8
"""Documents held out, where that is a quarter of them at most."""


@dataclass(frozen=True, slots=True)
class Split:
    """Disjoint by document and by content; `by` says what decided.

    Split by date, everything held out is as late as anything learned from, or later.
    """

    train: tuple[StoredDocument, ...]
    held_out: tuple[StoredDocument, ...]
    by: Literal["date", "content"]


def split(documents: Sequence[StoredDocument], held_out: float = 0.1) -> Split:
    """Hold out a share of the documents: the latest, or, where most have no date, by content hash.

    Equal documents fall on the same side. At least FEWEST are held out, or a quarter of a small
    collection: a verdict needs some on each half of them.
    """
    groups: dict[str, list[StoredDocument]] = {}
    for document in documents:
        groups.setdefault(document.content_hash, []).append(document)
    dated = sum(document.date_from == "metadata" for document in documents)
    by_date = bool(documents) and dated / len(documents) > MOSTLY
    if by_date:
        # An undated document's file time says little: it counts as early, so it is learned from.
        order = sorted(groups.values(), key=lambda group: (_latest(group), group[0].content_hash))
    else:
        order = sorted(groups.values(), key=lambda group: _mixed(group[0].content_hash))
    number = len(documents)
    wanted = max(1, round(number * held_out), min(FEWEST, number // 4)) if len(groups) > 1 else 0
    late: list[StoredDocument] = []
    while len(late) < wanted and len(order) > 1:
        late[:0] = order.pop()
    return Split(
        train=tuple(document for group in order for document in group),
        held_out=tuple(late),
        by="date" if by_date else "content",
    )


def _latest(group: list[StoredDocument]) -> str:
    return max(
        (document.date for document in group if document.date_from == "metadata"), default=""
    )


def _mixed(content_hash: str) -> str:
    return hashlib.sha256(b"split:" + content_hash.encode()).hexdigest()

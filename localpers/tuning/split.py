"""Which documents are learned from and which are held out to judge by."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from localpers.datatypes import StoredDocument

MOSTLY = 0.5
"""Share of documents with a date of their own from which on the split is by time."""
FEWEST = 8
"""Documents held out, where that is a quarter of them at most."""
MOST_HELD_OUT = 0.5
"""Share of the documents beyond which nothing more is held out in search of usable ones."""


@dataclass(frozen=True, slots=True)
class Split:
    """Disjoint by document and by content; `by` says what decided.

    Split by date, everything held out is as late as anything learned from, or later.
    """

    train: tuple[StoredDocument, ...]
    held_out: tuple[StoredDocument, ...]
    by: Literal["date", "content"]


def split(
    documents: Sequence[StoredDocument],
    held_out: float = 0.1,
    usable: Callable[[StoredDocument], bool] = lambda document: True,
) -> Split:
    """Hold out a share of the documents: the latest, or, where most have no date, by content hash.

    Equal documents fall on the same side. At least FEWEST are held out, or a quarter of a small
    collection: a verdict needs some on each half of them. As many of them are `usable`, where
    MOST_HELD_OUT of the documents hold so many.
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
    needed = min(wanted, FEWEST)
    late: list[StoredDocument] = []
    used = 0
    while len(order) > 1 and (
        len(late) < wanted or (used < needed and len(late) < number * MOST_HELD_OUT)
    ):
        group = order.pop()
        late[:0] = group
        # Equal documents are as good as one; once there are enough, nobody needs to know.
        used += used < needed and usable(group[0])
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

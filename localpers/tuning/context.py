"""Passages for the prompts of Examples: from other documents, never from what is to be written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Protocol

from localpers.datatypes import RetrievedPassage, StoredDocument
from localpers.retrieval.dates.expressions import newest_day

ENOUGH = 6
"""Times as many passages are looked at as are wanted: most may lie in documents not allowed."""
LONGEST_QUERY = 400
"""Characters."""


class Finder(Protocol):
    """What a Retriever does for examples."""

    def search(self, query: str, k: int, *, today: date | None) -> list[RetrievedPassage]:
        """The k best passages for `query`; relative times in it count from `today`."""


class OtherDocuments:
    """Retrieves among `documents` only, never from the asking document or a copy of it.

    The day of the asking document is today: relative times count from it, and with `only_earlier`
    only older documents are there. Passages that are `withheld` stand in no prompt.
    """

    def __init__(
        self,
        finder: Finder,
        documents: Sequence[StoredDocument],
        passages: int,
        *,
        only_earlier: bool,
        withheld: Callable[[RetrievedPassage], bool] = lambda passage: False,
    ) -> None:
        self._finder = finder
        self._documents = {document.id: document for document in documents}
        self._passages = passages
        self._only_earlier = only_earlier
        self._withheld = withheld

    def __call__(self, query: str, asking: StoredDocument) -> list[RetrievedPassage]:
        found: list[RetrievedPassage] = []
        asked, today = self._passages * ENOUGH, newest_day([asking.date])
        for hit in self._finder.search(query[:LONGEST_QUERY], asked, today=today):
            document = self._documents.get(hit.document)
            known = document is not None and self._allowed(document, asking)
            if known and not self._withheld(hit):
                found.append(hit)
                if len(found) == self._passages:
                    break
        return found

    def _allowed(self, document: StoredDocument, asking: StoredDocument) -> bool:
        if document.id == asking.id or document.content_hash == asking.content_hash:
            return False
        if not self._only_earlier:
            return True
        return (document.date, document.id) < (asking.date, asking.id)

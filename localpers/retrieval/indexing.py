"""Keeps the postings equal to the passages: the one place where text becomes index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from localpers.datatypes import Document, Passage
from localpers.retrieval.analysis import VERSION, analyse
from localpers.store import Store

_VERSION_KEY = "analysis_version"
_REBUILD_BATCH = 200


class Indexer:
    """Adds and removes documents with their postings; transactions are the caller's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(
        self,
        file: int,
        document: Document,
        passages: Sequence[Passage],
        *,
        date: str,
        date_from: str,
        language: str,
        content_hash: str,
    ) -> None:
        ids = self._store.documents.add(
            file,
            document,
            date=date,
            date_from=date_from,
            language=language,
            content_hash=content_hash,
            passages=passages,
        )
        for id, passage in zip(ids, passages, strict=True):
            terms = analyse(document.text[passage.start : passage.end], language)
            self._store.postings.add(id, Counter(terms))

    def remove(self, document: int) -> None:
        language, passages = self._store.documents.passage_texts(document)
        for id, text in passages:
            self._store.postings.remove(id, set(analyse(text, language)))
        self._store.documents.remove(document)

    def refresh(self, on_progress: Callable[[int, int], None] | None = None) -> bool:
        """Analyse everything again where the index was made by another version of the analysis.

        Done in one transaction: readers see the old index until the new one is complete.
        Returns whether anything was done.
        """
        if self._store.meta(_VERSION_KEY) == str(VERSION):
            return False
        with self._store.transaction():
            documents = self._store.documents.ids()
            self._store.postings.clear()
            for done, document in enumerate(documents, 1):
                language, passages = self._store.documents.passage_texts(document)
                for id, text in passages:
                    self._store.postings.add(id, Counter(analyse(text, language)))
                if done % _REBUILD_BATCH == 0:
                    self._store.postings.flush()
                    if on_progress:
                        on_progress(done, len(documents))
            self._store.set_meta(_VERSION_KEY, str(VERSION))
        return True

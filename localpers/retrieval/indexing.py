"""Keeps the postings equal to the passages: the one place where text becomes index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from localpers.datatypes import Document, Passage
from localpers.retrieval.analysis import VERSION, analyse
from localpers.store import Store
from localpers.store.documents import AnalysedDocument
from localpers.store.postings import Postings

_VERSION_KEY = "analysis_version"
_REFRESHED_KEY = "analysis_refreshed"
"""`VERSION:ID`: an index of this version is being made, and holds the documents up to ID."""
_BATCH_DOCUMENTS = 500
_BATCH_CHARACTERS = 4_000_000


class Indexer:
    """Adds and removes documents with their postings; transactions are the caller's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._half_refreshed = store.meta(_REFRESHED_KEY) is not None

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
        self._forget_refresh()
        ids = self._store.documents.add(
            file,
            document,
            date=date,
            date_from=date_from,
            language=language,
            content_hash=content_hash,
            passages=passages,
        )
        texts = (
            (id, document.text[passage.start : passage.end], passage.heading)
            for id, passage in zip(ids, passages, strict=True)
        )
        analysed = AnalysedDocument(language, document.title, document.tags, tuple(texts))
        _put(analysed, self._store.postings, self._store.fields)

    def remove(self, document: int) -> None:
        self._forget_refresh()
        analysed = self._store.documents.analysed(document)
        for id, text, fields in _terms(analysed) if analysed else ():
            self._store.postings.remove(id, text)
            if fields is not None:
                self._store.fields.remove(id, fields)
        self._store.documents.remove(document)

    def settle_languages(self) -> Iterator[int]:
        """Give each document of unsure language that of its folder, else of most documents.

        Unstemmed among stemmed documents, their rare forms would outrank everything. Yields the
        ids of those that are indexed again.
        """
        for id, language in self._store.documents.unsure_languages():
            analysed = self._store.documents.analysed(id)
            assert analysed is not None
            self._forget_refresh()
            for passage, text, fields in _terms(analysed):
                self._store.postings.remove(passage, text)
                if fields is not None:
                    self._store.fields.remove(passage, fields)
            self._store.documents.set_language(id, language)
            _put(replace(analysed, language=language), self._store.postings, self._store.fields)
            yield id

    @property
    def outdated(self) -> bool:
        """Whether the index was made by another version of the analysis."""
        return self._store.meta(_VERSION_KEY) != str(VERSION)

    def refresh(self, on_progress: Callable[[int, int], None] | None = None) -> bool:
        """Analyse everything again where the index is outdated; returns whether it was.

        Readers see the old index until the new one is complete. What was done when it is
        interrupted is not done again, unless documents changed in between. The caller holds no
        transaction, but the right to write.
        """
        if not self.outdated:
            return False
        total, done = self._store.documents.count(), 0
        after = self._refreshed_to()
        done = self._store.documents.count(after)
        while batch := self._store.documents.ids_after(after, _BATCH_DOCUMENTS):
            with self._store.transaction():
                postings, fields = self._store.next_index(empty=not after)
                for analysed, id in self._some(batch):
                    _put(analysed, postings, fields)
                    after = id
                    done += 1
                postings.flush()
                fields.flush()
                self._store.set_meta(_REFRESHED_KEY, f"{VERSION}:{after}")
            if on_progress:
                on_progress(done, total)
        with self._store.transaction():
            if not after:
                self._store.next_index(empty=True)
            self._store.use_next_index()
            self._store.remove_meta(_REFRESHED_KEY)
            self._store.set_meta(_VERSION_KEY, str(VERSION))
        self._half_refreshed = False
        with self._store.transaction():
            for _ in self.settle_languages():
                pass
        return True

    def _refreshed_to(self) -> int:
        version, _, id = (self._store.meta(_REFRESHED_KEY) or "").partition(":")
        return int(id) if version == str(VERSION) else 0

    def _some(self, documents: Iterable[int]) -> Iterator[tuple[AnalysedDocument, int]]:
        characters = 0
        for id in documents:
            analysed = self._store.documents.analysed(id)
            assert analysed is not None
            yield analysed, id
            characters += sum(len(text) for _, text, _ in analysed.passages)
            if characters > _BATCH_CHARACTERS:
                return

    def _forget_refresh(self) -> None:
        """A new index under construction would miss this change: start it again."""
        if self._half_refreshed:
            self._store.drop_next_index()
            self._store.remove_meta(_REFRESHED_KEY)
            self._half_refreshed = False


def _put(document: AnalysedDocument, postings: Postings, fields: Postings) -> None:
    for id, text, field_terms in _terms(document):
        postings.add(id, text)
        if field_terms is not None:
            fields.add(id, field_terms)


def _terms(document: AnalysedDocument) -> Iterator[tuple[int, Counter[str], Counter[str] | None]]:
    """(passage id, terms of its text, terms of its title, headings and tags); None where an earlier
    passage has the same headings.
    """
    language = document.language
    whole = Counter(analyse(" \n".join((document.title, *document.tags)), language))
    seen: set[str] = set()
    for id, text, heading in document.passages:
        fields = None if heading in seen else whole + Counter(analyse(heading, language))
        seen.add(heading)
        yield id, Counter(analyse(text, language)), fields

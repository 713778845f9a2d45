"""Bring the index up to date with the files on disk, reading only those that changed.

A sync can be interrupted at any time: documents are replaced in short transactions (text, passages
and postings together), a file's row is written with its documents, and vanished files are removed
last. The next run picks up whatever an interrupted run did not reach.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from localpers.corpus.changes import READER_VERSION, Changes, Skipped, changes_below, roots_of
from localpers.corpus.isolation import IsolatedReader
from localpers.corpus.language import detect_language, warm_up
from localpers.corpus.passages import split_passages
from localpers.corpus.readers import reader_for
from localpers.corpus.readers.files import open_nonblocking
from localpers.corpus.readers.metadata import date_in_name
from localpers.corpus.walk import FoundFile
from localpers.datatypes import Document
from localpers.errors import NotADocument, UnreadableFile
from localpers.forgotten import Forgotten, names_of
from localpers.retrieval.indexing import Indexer
from localpers.store import Store
from localpers.store.files import UNFINISHED, StoredFile

COMMIT_SECONDS = 2.0
COMMIT_CHARACTERS = 8_000_000
MAX_HASHED_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SyncReport:
    """Counts of documents; `documents` and `passages` are totals of the whole index.

    `forgotten` counts files, or documents within files, that were left out as forgotten.
    """

    added: int
    updated: int
    removed: int
    unchanged: int
    forgotten: int
    skipped: tuple[Skipped, ...]
    documents: int
    passages: int
    seconds: float


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """`done` of `total` changed files have been read; the one at `path` is next."""

    done: int
    total: int
    path: str


OnProgress = Callable[[SyncProgress], None]


@dataclass(slots=True)
class _Counts:
    added: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0
    forgotten: int = 0


def sync(
    store: Store,
    paths: Iterable[Path],
    forgotten: Forgotten,
    *,
    again: bool = False,
    dry_run: bool = False,
    on_progress: OnProgress | None = None,
) -> SyncReport:
    """Bring the index up to date with everything at or below `paths`.

    `again` rereads every file, and restores what was `forgotten` of files named in `paths`;
    `dry_run` reports the changes without making them.
    Raises SourceMissing if a path does not exist or is an indexed folder that is now empty.
    """
    started = time.monotonic()
    paths = list(paths)
    roots = roots_of(paths)
    named = frozenset(root for root in roots if again and os.path.isfile(root))
    files = [path for path in paths if path.expanduser().is_file()] if again else []
    for name in {name for file in files for name in names_of(file)}:
        forgotten.take_back(name)
    found = [changes_below(store, root, again, forgotten) for root in roots]
    total = sum(len(changes.changed) for changes in found)
    if total:
        warm_up()
    run = _Sync(store, again, dry_run, on_progress, total, forgotten, named)
    with run:
        for changes in found:
            run.apply(changes)
        run.settle_languages()
        documents, passages = run.totals()
    # After the index: a kill between the two leaves the documents forgotten, never half restored.
    if forgotten.changed and not dry_run:
        forgotten.save()
    return SyncReport(
        **asdict(run.counts),
        skipped=tuple(run.skipped),
        documents=documents,
        passages=passages,
        seconds=time.monotonic() - started,
    )


@dataclass
class _Sync:
    """Applies changes to the store in transactions of about COMMIT_SECONDS."""

    _store: Store
    _again: bool
    _dry_run: bool
    _on_progress: OnProgress | None
    _total: int
    _forgotten: Forgotten
    _named: frozenset[str]
    counts: _Counts = field(default_factory=_Counts)
    skipped: list[Skipped] = field(default_factory=list)
    _done: int = 0
    _opened_at: float = 0.0
    _characters: int = 0

    def __post_init__(self) -> None:
        self._indexer = Indexer(self._store)
        self._reader = IsolatedReader()

    def __enter__(self) -> _Sync:
        self._begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._reader.close()
        if not self._store.in_transaction:
            return
        if kind is None and not self._dry_run:
            self._store.commit()
        else:
            self._store.rollback()

    def totals(self) -> tuple[int, int]:
        totals = self._store.documents.totals()
        return totals.documents, totals.passages

    def _begin(self) -> None:
        self._store.begin()
        self._opened_at = time.monotonic()
        self._characters = 0

    def _commit_if_due(self) -> None:
        """Commit regularly: readers see progress, memory stays bounded, a kill loses little."""
        due = time.monotonic() - self._opened_at > COMMIT_SECONDS
        if not self._dry_run and (due or self._characters > COMMIT_CHARACTERS):
            self._store.commit()
            self._begin()

    def apply(self, changes: Changes) -> None:
        self.skipped.extend(changes.skipped)
        self.counts.forgotten += changes.forgotten
        for file in changes.unchanged:
            if file.skipped is not None:
                self.skipped.append(Skipped(file.path, file.skipped))
        self.counts.unchanged += self._store.documents.count_in(
            file.id for file in changes.unchanged if file.skipped is None
        )
        by_hash = {(file.sha256, file.size): file for file in changes.vanished.values()}
        for found, before in changes.changed:
            if self._on_progress:
                self._on_progress(SyncProgress(self._done, self._total, found.path))
            moved = self._update(found, before, by_hash)
            if moved is not None:
                changes.vanished.pop(moved.id, None)
            self._done += 1
            self._commit_if_due()
        for file in changes.vanished.values():
            for id, _ in self._store.documents.parts_of(file.id).values():
                self._indexer.remove(id)
                self.counts.removed += 1
            self._store.files.remove(file.id)
            self._commit_if_due()

    def settle_languages(self) -> None:
        for _ in self._indexer.settle_languages():
            self._commit_if_due()

    def _update(
        self,
        found: FoundFile,
        before: StoredFile | None,
        vanished: dict[tuple[str, int], StoredFile],
    ) -> StoredFile | None:
        """Update one file's documents; returns the vanished file it was moved from, if any."""
        moved: StoredFile | None = None
        try:
            digest = _digest(found)
            if before is None:
                moved = vanished.get((digest, found.size))
                if moved is not None and not self._reads_the_same(moved, found.path):
                    moved = None
                if moved is not None:
                    del vanished[digest, found.size]
            known = before or moved
            row = StoredFile(
                id=known.id if known else 0,
                path=found.path,
                size=found.size,
                mtime_ns=found.mtime_ns,
                sha256=digest,
                reader_version=READER_VERSION,
                skipped=known.skipped if known else None,
            )
            if known is not None and self._is_current(known, row):
                self._store.files.put(row)
                self._keep(row)
            else:
                self._replace(row)
        except OSError as error:
            self.skipped.append(Skipped(found.path, (error.strerror or "unreadable").lower()))
            if before is not None:
                self.counts.unchanged += self._store.documents.count_in([before.id])
        return moved

    def _reads_the_same(self, vanished: StoredFile, path: str) -> bool:
        """Whether the new name yields the same documents: it decides reader, title and date."""
        old, new = Path(vanished.path), Path(path)
        return (
            reader_for(old) is reader_for(new)
            and date_in_name(old) == date_in_name(new)
            and (old.stem == new.stem or not self._store.documents.has_title(vanished.id, old.stem))
        )

    def _is_current(self, known: StoredFile, row: StoredFile) -> bool:
        return not self._again and (known.sha256, known.reader_version) == (
            row.sha256,
            READER_VERSION,
        )

    def _keep(self, row: StoredFile) -> None:
        self._store.documents.redate(row.id, _iso(row.mtime_ns))
        if row.skipped is not None:
            self.skipped.append(Skipped(row.path, row.skipped))
        self.counts.unchanged += self._store.documents.count_in([row.id])

    def _replace(self, row: StoredFile) -> None:
        """Reread the file, replacing only the documents that changed."""
        unfinished = replace(row, sha256="", reader_version=UNFINISHED, skipped=None)
        row = replace(row, id=self._store.files.put(unfinished), skipped=None)
        before = self._store.documents.parts_of(row.id)
        seen: set[str] = set()
        refused = 0
        reader = reader_for(Path(row.path))
        try:
            for document in self._reader.read(reader, Path(row.path)) if reader else ():
                document = _with_unique_part(document, seen)
                if self._is_forgotten(row.path, document):
                    refused += 1
                    continue
                self._put(row, document, before)
                self._commit_if_due()
        except NotADocument:
            pass
        except UnreadableFile as error:
            row = replace(row, skipped=str(error))
            self.skipped.append(Skipped(row.path, str(error)))
        for id, _ in before.values():
            self._indexer.remove(id)
            self.counts.removed += 1
        self.counts.forgotten += refused
        if refused == len(seen) > 0:
            # Everything in it is forgotten, so its name and hash are not kept either.
            self._store.files.remove(row.id)
        else:
            self._store.files.put(row)

    def _is_forgotten(self, path: str, document: Document) -> bool:
        if path in self._named:
            self._forgotten.take_back(path, document.text)
        return self._forgotten.refuses(path, document.part, document.text)

    def _put(self, row: StoredFile, document: Document, before: dict[str, tuple[int, str]]) -> None:
        if document.date:
            date, date_from = document.date, "metadata"
        else:
            date, date_from = _iso(row.mtime_ns), "file"
        content_hash = _content_hash(document)
        known = before.pop(document.part, None)
        if known is not None:
            if known[1] == content_hash and not self._again:
                self.counts.unchanged += 1
                return
            self._indexer.remove(known[0])
            self.counts.updated += 1
        else:
            self.counts.added += 1
        self._characters += len(document.text)
        self._indexer.add(
            row.id,
            document,
            split_passages(document),
            date=date,
            date_from=date_from,
            language=detect_language(document.text, document.blocks),
            content_hash=content_hash,
        )


def _with_unique_part(document: Document, seen: set[str]) -> Document:
    """Number documents of one file that share a `part`, such as a mail stored twice."""
    part, number = document.part, 1
    while part in seen:
        number += 1
        part = f"{document.part}~{number}"
    seen.add(part)
    return document if part == document.part else replace(document, part=part)


def _content_hash(document: Document) -> str:
    fields = [document.title, document.kind, document.date or "", *document.tags, document.text]
    if document.author:
        fields += [document.author, *document.recipients]
    return hashlib.sha256("\0".join(fields).encode()).hexdigest()


def _iso(mtime_ns: int) -> str:
    return datetime.fromtimestamp(mtime_ns // 10**9, UTC).isoformat()


def _digest(found: FoundFile) -> str:
    """SHA-256 of the file, or its size and time if hashing it on every run would be too slow."""
    if found.size > MAX_HASHED_BYTES:
        return f"{found.size}-{found.mtime_ns}"
    with open(found.path, "rb", opener=open_nonblocking) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

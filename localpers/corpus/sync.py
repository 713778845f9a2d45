"""Sync: make the index equal to what lies on disk, reading only what changed.

The order of things makes any interruption harmless: documents are replaced in short transactions
(text, passages and postings at once), a file's row is written with its documents, and files that
vanished go last. What a killed run did not reach, the next run finds changed.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from localpers.corpus.changes import READER_VERSION, Changes, Skipped, changes_below, roots_of
from localpers.corpus.isolation import IsolatedReader
from localpers.corpus.language import detect_language, warm_up
from localpers.corpus.passages import split_passages
from localpers.corpus.readers import reader_for
from localpers.corpus.readers.files import open_without_waiting
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
LARGEST_HASHED = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SyncReport:
    """Numbers of documents, except `seconds`; `documents` and `passages` are the index's totals.

    `forgotten` counts what was left out because it was forgotten: files, or documents in files.
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
    """`done` of `total` changed files are read, the one at `path` just now."""

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

    `again` reads every file anew, and takes back what was `forgotten` of files that are named
    themselves; `dry_run` reports without changing anything.
    Raises SourceMissing where a path does not exist, or is an indexed folder that is empty now.
    """
    began = time.monotonic()
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
    run = _Run(store, again, dry_run, on_progress, total, forgotten, named)
    with run:
        for changes in found:
            run.apply(changes)
        run.settle_languages()
        documents, passages = run.totals()
    # Later than the index: what a kill leaves between the two goes out again, and is not half in.
    if forgotten.changed and not dry_run:
        forgotten.save()
    return SyncReport(
        added=run.counts.added,
        updated=run.counts.updated,
        removed=run.counts.removed,
        unchanged=run.counts.unchanged,
        forgotten=run.counts.forgotten,
        skipped=tuple(run.skipped),
        documents=documents,
        passages=passages,
        seconds=time.monotonic() - began,
    )


class _Run:
    """Applies changes to the store in transactions of about COMMIT_SECONDS."""

    def __init__(
        self,
        store: Store,
        again: bool,
        dry_run: bool,
        on_progress: OnProgress | None,
        total: int,
        forgotten: Forgotten,
        named: frozenset[str],
    ) -> None:
        self.counts = _Counts()
        self.skipped: list[Skipped] = []
        self._store = store
        self._indexer = Indexer(store)
        self._reading = IsolatedReader()
        self._again = again
        self._dry_run = dry_run
        self._on_progress = on_progress
        self._total = total
        self._forgotten = forgotten
        self._named = named
        self._done = 0
        self._opened_at = 0.0
        self._characters = 0

    def __enter__(self) -> _Run:
        self._begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._reading.close()
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

    def _breathe(self) -> None:
        """Commit now and then: readers see progress, memory stays flat, a kill costs little."""
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
            moved = self._take(found, before, by_hash)
            if moved is not None:
                changes.vanished.pop(moved.id, None)
            self._done += 1
            self._breathe()
        for file in changes.vanished.values():
            for id, _ in self._store.documents.parts_of(file.id).values():
                self._indexer.remove(id)
                self.counts.removed += 1
            self._store.files.remove(file.id)
            self._breathe()

    def settle_languages(self) -> None:
        for _ in self._indexer.settle_languages():
            self._breathe()

    def _take(
        self,
        found: FoundFile,
        before: StoredFile | None,
        vanished: dict[tuple[str, int], StoredFile],
    ) -> StoredFile | None:
        """Bring one file's documents up to date; returns the vanished file that it is, if any."""
        moved: StoredFile | None = None
        try:
            digest = _digest(found)
            if before is None:
                moved = vanished.get((digest, found.size))
                if moved is not None and not self._reads_alike(moved, found.path):
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
            if known is not None and self._is_read(known, row):
                self._store.files.put(row)
                self._keep(row)
            else:
                self._replace(row)
        except OSError as error:
            self.skipped.append(Skipped(found.path, (error.strerror or "unreadable").lower()))
            if before is not None:
                self.counts.unchanged += self._store.documents.count_in([before.id])
        return moved

    def _reads_alike(self, vanished: StoredFile, path: str) -> bool:
        """Whether the file's new name changes nothing: a name decides about reader, title, date."""
        old, new = Path(vanished.path), Path(path)
        return (
            reader_for(old) is reader_for(new)
            and date_in_name(old) == date_in_name(new)
            and (old.stem == new.stem or not self._store.documents.has_title(vanished.id, old.stem))
        )

    def _is_read(self, known: StoredFile, row: StoredFile) -> bool:
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
        """Read the file anew, replacing only those of its documents that changed."""
        unfinished = replace(row, sha256="", reader_version=UNFINISHED, skipped=None)
        row = replace(row, id=self._store.files.put(unfinished), skipped=None)
        before = self._store.documents.parts_of(row.id)
        seen: set[str] = set()
        refused = 0
        reader = reader_for(Path(row.path))
        try:
            for document in self._reading.read(reader, Path(row.path)) if reader else ():
                own = _with_own_part(document, seen)
                if self._refuses(row.path, own):
                    refused += 1
                    continue
                self._put(row, own, before)
                self._breathe()
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
            # Not even its name and hash are kept.
            self._store.files.remove(row.id)
        else:
            self._store.files.put(row)

    def _refuses(self, path: str, document: Document) -> bool:
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


def _with_own_part(document: Document, seen: set[str]) -> Document:
    """A container may give two documents one name (a mail kept twice): tell them apart."""
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
    """SHA-256 of the file's bytes; size and time stand for a file too large to hash each time."""
    if found.size > LARGEST_HASHED:
        return f"{found.size}-{found.mtime_ns}"
    with open(found.path, "rb", opener=open_without_waiting) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

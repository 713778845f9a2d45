"""The `documents` and `passages` tables."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from localpers.datatypes import Block, BlockKind, Document, Kind, Passage, StoredDocument
from localpers.store.engine import rows_among
from localpers.store.files import path_of

MIN_NEIGHBOURS = 3
"""Documents of known language that a folder needs to decide the language of the others."""


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A Passage with metadata of its Document."""

    id: int
    document: int
    path: str
    title: str
    date: str
    start: int
    end: int
    text: str
    line: int | None
    page: int | None


@dataclass(frozen=True, slots=True)
class AnalysedDocument:
    """The indexed parts of a document; `passages` are (id, text, heading path)."""

    language: str
    title: str
    tags: tuple[str, ...]
    passages: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """Section and document of a passage; `section` is the id of the section's first passage."""

    section: int
    document: int
    date: str
    language: str


@dataclass(frozen=True, slots=True)
class Totals:
    documents: int
    passages: int
    files: int
    skipped: int


class Documents:
    """Reads and writes rows; the caller manages transactions."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    # -- documents

    def parts_of(self, file: int) -> dict[str, tuple[int, str]]:
        """part → (document id, content hash) of the file's documents."""
        rows = self._connection.execute(
            "SELECT part, id, content_hash FROM documents WHERE file = ?", (file,)
        )
        return {part: (id, content_hash) for part, id, content_hash in rows}

    def has_title(self, file: int, title: str) -> bool:
        """Whether the file has a document titled `title`."""
        row = self._connection.execute(
            "SELECT 1 FROM documents WHERE file = ? AND title = ?", (file, title)
        ).fetchone()
        return row is not None

    def redate(self, file: int, date: str) -> None:
        """Set the date of the file's documents that are dated by the file."""
        self._connection.execute(
            "UPDATE documents SET date = ? WHERE file = ? AND date_from = 'file'", (date, file)
        )

    def content_hashes(self, documents: Iterable[int]) -> dict[int, str]:
        """document → content hash."""
        query = "SELECT id, content_hash FROM documents WHERE id IN ({values})"
        return dict(rows_among(self._connection, query, documents))

    def count_in(self, files: Iterable[int]) -> int:
        """Number of documents in `files`."""
        query = "SELECT COUNT(*) FROM documents WHERE file IN ({values})"
        return sum(count for (count,) in rows_among(self._connection, query, files))

    def add(
        self,
        file: int,
        document: Document,
        *,
        date: str,
        date_from: str,
        language: str,
        content_hash: str,
        passages: Sequence[Passage],
    ) -> list[int]:
        """Insert a document and its passages; returns the passage ids in order."""
        cursor = self._connection.execute(
            "INSERT INTO documents (file, part, title, kind, date, date_from, language, tags,"
            " content_hash, text, blocks, author, recipients)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                file,
                document.part,
                document.title,
                document.kind.value,
                date,
                date_from,
                language,
                json.dumps(document.tags, ensure_ascii=False),
                content_hash,
                document.text,
                _pack_blocks(document.blocks),
                document.author,
                json.dumps(document.recipients, ensure_ascii=False),
            ),
        )
        row = cursor.lastrowid
        (last,) = cursor.execute("SELECT COALESCE(MAX(id), 0) FROM passages").fetchone()
        ids = list(range(last + 1, last + 1 + len(passages)))
        sections: dict[str, int] = {}
        places = _places(document, passages)
        for id, passage, (line, page) in zip(ids, passages, places, strict=True):
            section = sections.setdefault(passage.heading, id)
            cursor.execute(
                'INSERT INTO passages (id, document, start, "end", heading, section, line, page)'
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (id, row, passage.start, passage.end, passage.heading, section, line, page),
            )
        return ids

    def remove(self, id: int) -> None:
        """Delete a document with its passages, but not their postings."""
        self._connection.execute("DELETE FROM documents WHERE id = ?", (id,))

    def analysed(self, document: int) -> AnalysedDocument | None:
        """The indexed parts of a document, None if it does not exist."""
        row = self._connection.execute(
            "SELECT language, title, tags, text FROM documents WHERE id = ?", (document,)
        ).fetchone()
        if row is None:
            return None
        language, title, tags, text = row
        spans = self._connection.execute(
            'SELECT id, start, "end", heading FROM passages WHERE document = ? ORDER BY start',
            (document,),
        )
        return AnalysedDocument(
            language,
            title,
            tuple(json.loads(tags)),
            tuple((id, text[start:end], heading) for id, start, end, heading in spans),
        )

    def ids_after(self, id: int, limit: int) -> list[int]:
        """Up to `limit` document ids above `id`."""
        rows = self._connection.execute(
            "SELECT id FROM documents WHERE id > ? ORDER BY id LIMIT ?", (id, limit)
        )
        return [id for (id,) in rows]

    def count(self, up_to: int | None = None) -> int:
        """Number of documents, or of those with an id of at most `up_to`."""
        (count,) = self._connection.execute(
            "SELECT COUNT(*) FROM documents WHERE ? IS NULL OR id <= ?", (up_to, up_to)
        ).fetchone()
        return int(count)

    def ids(self) -> list[int]:
        rows = self._connection.execute("SELECT id FROM documents ORDER BY id")
        return [id for (id,) in rows]

    def all(self) -> Iterator[StoredDocument]:
        """Every document in id order, one in memory at a time."""
        yield from map(_stored, self._connection.execute(f"{_DOCUMENT} ORDER BY d.id"))

    def get(self, ids: Iterable[int]) -> dict[int, StoredDocument]:
        """id → document, for the `ids` that exist."""
        rows = rows_among(self._connection, f"{_DOCUMENT} WHERE d.id IN ({{values}})", ids)
        return {row[0]: _stored(row) for row in rows}

    def first_lines(self, ids: Iterable[int]) -> dict[int, int | None]:
        """document → 1-based line of its file at which its text begins; None if text lines are not
        file lines.
        """
        found: dict[int, int | None] = {}
        for id in ids:
            row = self._connection.execute(
                "SELECT p.line, SUBSTR(d.text, 1, p.start) FROM documents d"
                " JOIN passages p ON p.id = (SELECT id FROM passages WHERE document = d.id"
                " ORDER BY start LIMIT 1) WHERE d.id = ?",
                (id,),
            ).fetchone()
            line, before = row or (None, "")
            found[id] = None if line is None else line - before.count("\n")
        return found

    def languages(self) -> list[str]:
        # Skips from value to value in the index; DISTINCT would scan it.
        rows = self._connection.execute(
            "WITH RECURSIVE one (language) AS ("
            " SELECT MIN(language) FROM documents UNION ALL"
            " SELECT (SELECT MIN(d.language) FROM documents d WHERE d.language > one.language)"
            " FROM one WHERE one.language IS NOT NULL)"
            " SELECT language FROM one WHERE language IS NOT NULL"
        )
        return [language for (language,) in rows]

    def set_language(self, document: int, language: str) -> None:
        self._connection.execute(
            "UPDATE documents SET language = ? WHERE id = ?", (language, document)
        )

    def unsure_languages(self) -> list[tuple[int, str]]:
        """(document, language) of documents without a language: the most common language in the
        folder, or with fewer than MIN_NEIGHBOURS there, of all documents; empty if there is none.
        """
        if "" not in self.languages():
            return []
        rows = self._connection.execute(
            "SELECT d.id, f.path, d.language FROM documents d JOIN files f ON f.id = d.file"
        ).fetchall()
        everywhere = Counter(language for *_, language in rows if language)
        by_folder: dict[Path, Counter[str]] = defaultdict(Counter)
        for _, path, language in rows:
            if language:
                by_folder[Path(path_of(path)).parent][language] += 1
        if not everywhere:
            return []
        found: list[tuple[int, str]] = []
        for id, path, language in rows:
            if not language:
                near = by_folder.get(Path(path_of(path)).parent, everywhere)
                counted = near if near.total() >= MIN_NEIGHBOURS else everywhere
                found.append((id, counted.most_common(1)[0][0]))
        return found

    def language_counts(self) -> dict[str, int]:
        """language → number of documents."""
        rows = self._connection.execute(
            "SELECT language, COUNT(*) FROM documents GROUP BY language"
        )
        return dict(rows.fetchall())

    def language_shares(self) -> dict[str, float]:
        """language → share of the text, by characters."""
        rows = self._connection.execute(
            "SELECT language, SUM(LENGTH(text)) FROM documents GROUP BY language"
        ).fetchall()
        total = sum(length or 0 for _, length in rows) or 1
        return {language: (length or 0) / total for language, length in rows}

    # -- passages

    def passages(self, ids: Iterable[int]) -> dict[int, StoredPassage]:
        query = (
            'SELECT p.id, p.document, f.path, d.title, d.date, p.start, p."end",'
            ' SUBSTR(d.text, p.start + 1, p."end" - p.start), p.line, p.page'
            " FROM passages p JOIN documents d ON d.id = p.document"
            " JOIN files f ON f.id = d.file WHERE p.id IN ({values})"
        )
        return {
            row[0]: StoredPassage(row[0], row[1], path_of(row[2]), *row[3:])
            for row in rows_among(self._connection, query, ids)
        }

    def placed(self, passages: Iterable[int]) -> dict[int, Placed]:
        """passage → its place, in id order, for the passages that exist."""
        query = (
            "SELECT p.id, p.section, d.id, d.date, d.language FROM passages p"
            " JOIN documents d ON d.id = p.document WHERE p.id IN ({values}) ORDER BY p.id"
        )
        rows = rows_among(self._connection, query, sorted(passages))
        return {id: Placed(*place) for id, *place in rows}

    def same_section(self, passages: Iterable[int]) -> dict[int, list[int]]:
        """passage → ids of all passages of its section, ascending, for the passages that exist."""
        query = (
            "SELECT one.id, GROUP_CONCAT(other.id) FROM passages one JOIN passages other"
            " ON other.document = one.document AND other.section = one.section"
            " WHERE one.id IN ({values}) GROUP BY one.id"
        )
        rows = rows_among(self._connection, query, passages)
        return {id: sorted(map(int, ids.split(","))) for id, ids in rows}

    def passages_of(self, documents: Iterable[int]) -> dict[int, list[int]]:
        """document → passage ids, ascending."""
        # One row per document is much faster than one per passage.
        query = (
            "SELECT document, GROUP_CONCAT(id) FROM passages WHERE document IN ({values})"
            " GROUP BY document"
        )
        wanted = list(documents)
        found: dict[int, list[int]] = {document: [] for document in wanted}
        for document, ids in rows_among(self._connection, query, wanted):
            found[document] = sorted(map(int, ids.split(",")))
        return found

    def newest_passages(self, limit: int, days: tuple[str, str] | None = None) -> list[int]:
        """Passage ids of the newest documents first, in order within each document.

        `days` limits the documents to a first and last day (ISO 8601).
        """
        first, last = days or ("", "9")
        # '~' sorts after every character of a date and time, so the last day is included.
        rows = self._connection.execute(
            "SELECT p.id FROM passages p JOIN documents d ON d.id = p.document"
            " WHERE d.date >= ? AND d.date < ? || '~'"
            " ORDER BY d.date DESC, d.id DESC, p.start LIMIT ?",
            (first, last, limit),
        )
        return [id for (id,) in rows]

    def newest_date(self, until: date = date.max) -> str:
        """Date of the newest document up to and including `until`; empty if there is none."""
        (newest,) = self._connection.execute(
            "SELECT MAX(date) FROM documents WHERE date < ?", [f"{until.isoformat()}~"]
        ).fetchone()
        return newest or ""

    def totals(self) -> Totals:
        row = self._connection.execute(
            "SELECT (SELECT COUNT(*) FROM documents), (SELECT COUNT(*) FROM passages),"
            " COUNT(*), COUNT(skipped) FROM files"
        ).fetchone()
        return Totals(*row)


_DOCUMENT = (
    "SELECT d.id, f.path, d.part, d.title, d.kind, d.date, d.date_from, d.language,"
    " d.content_hash, d.text, d.blocks, d.author, d.recipients"
    " FROM documents d JOIN files f ON f.id = d.file"
)


def _stored(row: tuple[Any, ...]) -> StoredDocument:
    id, path, part, title, kind, date, date_from, language, hash_, text, *rest = row
    blocks, author, recipients = rest
    return StoredDocument(
        id=id,
        path=path_of(path),
        part=part,
        title=title,
        kind=Kind(kind),
        date=date,
        date_from=date_from,
        language=language,
        content_hash=hash_,
        text=text,
        blocks=_unpack_blocks(blocks),
        author=author,
        recipients=tuple(json.loads(recipients)),
    )


def _places(
    document: Document, passages: Sequence[Passage]
) -> Iterator[tuple[int | None, int | None]]:
    line, counted = document.first_line, 0
    for passage in passages:
        if line is not None:
            line += document.text.count("\n", counted, passage.start)
            counted = passage.start
        page = sum(1 for start in document.pages if start <= passage.start)
        yield line, page or None


def _pack_blocks(blocks: Iterable[Block]) -> str:
    return json.dumps([[b.kind.value, b.start, b.end, b.level] for b in blocks])


def _unpack_blocks(packed: str) -> tuple[Block, ...]:
    return tuple(Block(BlockKind(kind), *numbers) for kind, *numbers in json.loads(packed))

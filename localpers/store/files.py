"""Files as rows: each as it was when it was last read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

UNFINISHED = 0
"""The `reader_version` of a file that is being read: no reader has it, so it is read again."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as it was when last read. `skipped` is the reason why it could not be, else None."""

    id: int
    path: str
    size: int
    mtime_ns: int
    sha256: str
    reader_version: int
    skipped: str | None


class Files:
    """Reads and writes rows; transactions are the caller's."""

    def __init__(self, db: Any) -> None:
        self._db = db

    def below(self, root: str) -> list[StoredFile]:
        """The known files at or below a path, wherever they lie in the tree."""
        below = root.rstrip("/") + "/"
        # The range [root/, root0) holds what starts with "root/": '0' follows '/' in ASCII.
        rows = self._db.conn.execute(
            "SELECT * FROM files WHERE path = ? OR (path >= ? AND path < ?)",
            (_to_column(root), _to_column(below), _to_column(below[:-1] + "0")),
        ).fetchall()
        odd = self._db.conn.execute("SELECT * FROM files WHERE typeof(path) = 'blob'").fetchall()
        files = [_file(row) for row in rows]
        seen = {file.id for file in files}
        strays = (_file(row) for row in odd)
        files.extend(f for f in strays if f.id not in seen and (f.path + "/").startswith(below))
        return files

    def paths(self) -> frozenset[str]:
        """Of all known files."""
        rows = self._db.conn.execute("SELECT path FROM files")
        return frozenset(path_of(path) for (path,) in rows)

    def put(self, file: StoredFile) -> int:
        """Insert a file (id 0) or replace one's columns; returns its id."""
        row = (
            _to_column(file.path),
            file.size,
            file.mtime_ns,
            file.sha256,
            file.reader_version,
            file.skipped,
        )
        if file.id:
            self._db.conn.execute(
                "UPDATE files SET path = ?, size = ?, mtime_ns = ?, sha256 = ?,"
                " reader_version = ?, skipped = ? WHERE id = ?",
                (*row, file.id),
            )
            return file.id
        cursor = self._db.conn.execute(
            "INSERT INTO files (path, size, mtime_ns, sha256, reader_version, skipped)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            row,
        )
        return int(cursor.lastrowid)

    def remove(self, id: int) -> None:
        """Remove a file's row with its documents and passages (their postings apart)."""
        self._db.conn.execute("DELETE FROM files WHERE id = ?", (id,))


def _file(row: tuple[Any, ...]) -> StoredFile:
    id, path, *rest = row
    return StoredFile(id, path_of(path), *rest)


def _to_column(path: str) -> str | bytes:
    try:
        path.encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def path_of(column: str | bytes) -> str:
    """A path as it was stored: bytes where it is no Unicode."""
    return os.fsdecode(column) if isinstance(column, bytes) else column

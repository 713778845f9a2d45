"""The `files` table: each file as it was when last read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

UNFINISHED = 0
"""`reader_version` of a file whose reading has not finished; no reader has this version."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as it was when last read; `skipped` is the reason if it could not be read."""

    id: int
    path: str
    size: int
    mtime_ns: int
    sha256: str
    reader_version: int
    skipped: str | None


class Files:
    """Reads and writes rows; the caller manages transactions."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def below(self, root: str) -> list[StoredFile]:
        """Files at or below the path `root`."""
        below = root.rstrip("/") + "/"
        # The range [root/, root0) is the prefix "root/": '0' follows '/' in ASCII.
        rows = self._connection.execute(
            "SELECT * FROM files WHERE path = ? OR (path >= ? AND path < ?)",
            (_to_column(root), _to_column(below), _to_column(below[:-1] + "0")),
        ).fetchall()
        odd = self._connection.execute("SELECT * FROM files WHERE typeof(path) = 'blob'").fetchall()
        files = [_file(row) for row in rows]
        seen = {file.id for file in files}
        strays = (_file(row) for row in odd)
        files.extend(f for f in strays if f.id not in seen and (f.path + "/").startswith(below))
        return files

    def paths(self) -> frozenset[str]:
        rows = self._connection.execute("SELECT path FROM files")
        return frozenset(path_of(path) for (path,) in rows)

    def put(self, file: StoredFile) -> int:
        """Insert a file (id 0) or update one; returns its id."""
        row = (
            _to_column(file.path),
            file.size,
            file.mtime_ns,
            file.sha256,
            file.reader_version,
            file.skipped,
        )
        if file.id:
            self._connection.execute(
                "UPDATE files SET path = ?, size = ?, mtime_ns = ?, sha256 = ?,"
                " reader_version = ?, skipped = ? WHERE id = ?",
                (*row, file.id),
            )
            return file.id
        cursor = self._connection.execute(
            "INSERT INTO files (path, size, mtime_ns, sha256, reader_version, skipped)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            row,
        )
        return int(cursor.lastrowid)

    def remove(self, id: int) -> None:
        """Delete a file with its documents and passages, but not their postings."""
        self._connection.execute("DELETE FROM files WHERE id = ?", (id,))


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
    """The path of a column, which is bytes if the path is not valid Unicode."""
    return os.fsdecode(column) if isinstance(column, bytes) else column

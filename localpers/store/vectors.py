"""Vectors of passages as rows: half-precision numbers, scored by numpy.

All are of one encoder, whose name the `meta` table keeps. They are read from the file for each
query, some 60 MB for 100,000 passages of 384 numbers, so that opening costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

STORED = np.dtype("<f2")
"""Precise to 1e-3 for numbers below 1, which is far below what tells passages apart."""
_READ_AT_ONCE = 8192


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A passage that has no vector yet."""

    id: int
    text: str


class Vectors:
    """Reads and writes rows; transactions are the caller's."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def put(self, passages: Sequence[int], vectors: npt.NDArray[np.float32]) -> None:
        """Keep `vectors` [len(passages), dimension]; of passages that are gone meanwhile, none."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO vectors SELECT id, ? FROM passages WHERE id = ?",
            [
                (vector.astype(STORED).tobytes(), id)
                for id, vector in zip(passages, vectors, strict=True)
            ],
        )

    def clear(self) -> None:
        self._connection.execute("DELETE FROM vectors")

    def count(self) -> int:
        (count,) = self._connection.execute("SELECT COUNT(*) FROM vectors").fetchone()
        return int(count)

    def missing(self) -> int:
        """How many passages have no vector."""
        (passages,) = self._connection.execute("SELECT COUNT(*) FROM passages").fetchone()
        return int(passages) - self.count()

    def unembedded(self, after: int, limit: int) -> list[Unembedded]:
        """The first passages without a vector whose id is above `after`."""
        rows = self._connection.execute(
            'SELECT p.id, SUBSTR(d.text, p.start + 1, p."end" - p.start)'
            " FROM passages p JOIN documents d ON d.id = p.document"
            " LEFT JOIN vectors v ON v.passage = p.id"
            " WHERE p.id > ? AND v.passage IS NULL ORDER BY p.id LIMIT ?",
            (after, limit),
        )
        return [Unembedded(*row) for row in rows]

    def of_document(self, document: int) -> dict[str, npt.NDArray[np.float32]]:
        """text → vector of the document's passages that have one."""
        rows = self._connection.execute(
            'SELECT SUBSTR(d.text, p.start + 1, p."end" - p.start), v.data FROM passages p'
            " JOIN documents d ON d.id = p.document JOIN vectors v ON v.passage = p.id"
            " WHERE p.document = ?",
            (document,),
        )
        return {text: np.frombuffer(data, STORED).astype(np.float32) for text, data in rows}

    def spans_of(
        self, document: int
    ) -> tuple[list[tuple[int, int]], npt.NDArray[np.float32] | None]:
        """((start, end) of the document's passages that have a vector, their vectors [n,
        dimension]); None where there is none.
        """
        rows = self._connection.execute(
            'SELECT p.start, p."end", v.data FROM passages p JOIN vectors v ON v.passage = p.id'
            " WHERE p.document = ? ORDER BY p.id",
            (document,),
        ).fetchall()
        if not rows:
            return [], None
        stored = np.frombuffer(b"".join(data for *_, data in rows), STORED).astype(np.float32)
        return [(start, end) for start, end, _ in rows], stored.reshape(len(rows), -1)

    def all(
        self, dimension: int
    ) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """(passage ids [n], vectors [n, dimension]) in parts, by id."""
        cursor = self._connection.execute("SELECT passage, data FROM vectors ORDER BY passage")
        while rows := cursor.fetchmany(_READ_AT_ONCE):
            stored = np.frombuffer(b"".join(data for _, data in rows), STORED)
            ids = np.fromiter((id for id, _ in rows), np.int64, len(rows))
            yield ids, stored.reshape(len(rows), dimension).astype(np.float32)

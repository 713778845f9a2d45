"""The BM25 index in SQLite: postings packed into large rows, scored with numpy.

A row holds consecutive postings of one term: all passage ids, then all frequencies, in the
narrowest integers that fit. Ids are 16-bit offsets from the row's `base`; for rare terms they are
gaps. Each row also stores its number of postings, highest frequency and shortest passage, which
bound its contribution to a score for any mean length. `lengths` stores the number of terms of each
passage plus one (0: no passage) in blocks of BLOCK_SIZE ids. Data of more than MAX_INLINE bytes is
in a separate table, so that SQLite can scan rows without reading it. Adding or removing a document
rewrites one row per term, in the same transaction as its text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from localpers.store.engine import rows_among
from localpers.store.schema import POSTINGS_TABLES

MAX_POSTINGS = 32768
MAX_GAPS = 2048
OFFSETS = 1 << 16
"""Highest number of ids that a row of offsets spans."""
MIN_OFFSETS = 256
"""A term with fewer postings per OFFSETS ids is stored as gaps, to limit the number of rows."""
MAX_INLINE = 400
BLOCK_SIZE = 4096
HIGHEST_FREQUENCY = np.iinfo(np.uint16).max

Ids = npt.NDArray[np.intp]
Frequencies = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Offsets = tuple[int, npt.NDArray[np.uint16] | Ids, Frequencies]

# The last byte of a row's data is the encoding of ids (low two bits) and frequencies.
_OFFSETS, _GAPS, _WIDE_GAPS = range(3)
_ID_TYPES = tuple(map(np.dtype, ("<u2", "<u2", "<u4")))
_FREQUENCY_TYPES = tuple(map(np.dtype, ("u1", "<u2")))
_ALL_ONE = 3
"""All frequencies are 1 and not stored."""


class Row(NamedTuple):
    """A row of postings. Bounds may be loose, never too tight.

    The postings are in `data`, or if that is None, in the row `large` of the separate table.
    """

    base: int
    number: int
    highest_frequency: int
    shortest: int
    data: bytes | None
    large: int | None


@dataclass(frozen=True, eq=False)
class IndexStatistics:
    """`lengths` of passages by id (terms plus 1; 0: no passage), their number and mean length."""

    lengths: npt.NDArray[np.uint32]
    number: int
    mean: float


class Postings:
    """Buffers changes in memory until `flush`, which Store.commit calls."""

    def __init__(self, connection: Any, table: str = "postings") -> None:
        self._connection = connection
        self._table = table
        self._added: dict[str, dict[int, int]] = defaultdict(dict)
        self._removed: dict[str, set[int]] = defaultdict(set)
        self._lengths: dict[int, int] = {}
        self._statistics: IndexStatistics | None = None
        self._statistics_version = -1

    def add(self, passage: int, terms: Counter[str]) -> None:
        for term, frequency in terms.items():
            self._added[term][passage] = min(frequency, HIGHEST_FREQUENCY)
        self._lengths[passage] = terms.total() + 1

    def remove(self, passage: int, terms: Iterable[str]) -> None:
        """Remove a passage; `terms` must include every term that it was added with."""
        for term in terms:
            if self._added[term].pop(passage, None) is None:
                self._removed[term].add(passage)
        self._lengths[passage] = 0

    def clear(self) -> None:
        """Remove all postings, within a transaction."""
        self.discard()
        for end in POSTINGS_TABLES:
            self._connection.execute(f"DELETE FROM {self._table}{end}")

    def discard(self) -> None:
        self._added.clear()
        self._removed.clear()
        self._lengths.clear()
        self._statistics = None

    def flush(self) -> None:
        """Write buffered changes, within a transaction."""
        for term in sorted(self._added.keys() | self._removed.keys()):
            self._write_term(term, self._added.get(term, {}), self._removed.get(term, set()))
        self._write_lengths()
        self.discard()

    def _write_lengths(self) -> None:
        blocks: dict[int, dict[int, int]] = defaultdict(dict)
        for passage, length in self._lengths.items():
            blocks[passage // BLOCK_SIZE][passage % BLOCK_SIZE] = length
        for block, changes in blocks.items():
            row = self._connection.execute(
                f"SELECT data FROM {self._table}_lengths WHERE block = ?", (block,)
            ).fetchone()
            lengths = (
                np.zeros(BLOCK_SIZE, "<u4") if row is None else np.frombuffer(row[0], "<u4").copy()
            )
            lengths[list(changes)] = list(changes.values())
            self._connection.execute(
                f"INSERT OR REPLACE INTO {self._table}_lengths VALUES (?, ?)",
                (block, lengths.tobytes()),
            )

    def _write_term(self, term: str, added: Mapping[int, int], removed: set[int]) -> None:
        rows = self.rows(term)
        bases = [row.base for row in rows] or [min(added, default=0)]
        additions: dict[int, dict[int, int]] = defaultdict(dict)
        for passage, frequency in added.items():
            additions[max(bisect_right(bases, passage) - 1, 0)][passage] = frequency
        removals: dict[int, set[int]] = defaultdict(set)
        for passage in removed - added.keys():
            removals[max(bisect_right(bases, passage) - 1, 0)].add(passage)
        for place in additions.keys() | removals.keys():
            row = rows[place] if rows else None
            self._write_row(term, row, additions.get(place, {}), removals.get(place, set()))

    def _write_row(
        self, term: str, row: Row | None, added: Mapping[int, int], removed: set[int]
    ) -> None:
        """Rewrite a row with the changes, split into several if it grows too large."""
        ids: Ids
        frequencies: Frequencies
        ids, frequencies = _sorted(added)
        highest = int(frequencies.max(initial=1))
        shortest = min((self._lengths[passage] for passage in added), default=HIGHEST_FREQUENCY)
        large = row.large if row else None
        if row is not None:
            ids, frequencies = _merged(self.read(row), ids, frequencies, removed)
            highest = max(highest, row.highest_frequency)
            shortest = min(shortest, row.shortest)
            if not len(ids) or ids[0] != row.base:
                self._delete_row(term, row.base)
        for piece in _pieces(ids):
            data = _encode(ids[piece], frequencies[piece])
            at = None
            if len(data) > MAX_INLINE:
                large, at = None, self._put_large(large, data)
            columns = (highest, shortest, data if at is None else None, at)
            self._connection.execute(
                f"INSERT OR REPLACE INTO {self._table} VALUES (?, ?, ?, ?, ?, ?, ?)",
                (term, int(ids[piece.start]), piece.stop - piece.start, *columns),
            )
        if large is not None:
            self._connection.execute(f"DELETE FROM {self._table}_large WHERE id = ?", (large,))

    def _put_large(self, id: int | None, data: bytes) -> int:
        """Replace the large data `id`, or insert it (None); returns its id."""
        cursor = self._connection.execute(
            f"INSERT OR REPLACE INTO {self._table}_large VALUES (?, ?)", (id, data)
        )
        return int(cursor.lastrowid)

    def _delete_row(self, term: str, base: int) -> None:
        self._connection.execute(
            f"DELETE FROM {self._table} WHERE term = ? AND base = ?", (term, base)
        )

    def rows(self, term: str) -> list[Row]:
        """The rows of a term, by base."""
        return self.rows_of([term])[term]

    def rows_of(self, terms: Iterable[str]) -> dict[str, list[Row]]:
        """term → rows, by base."""
        query = (
            "SELECT term, base, number, highest_frequency, shortest, data, large"
            f" FROM {self._table} WHERE term IN ({{values}}) ORDER BY term, base"
        )
        found: dict[str, list[Row]] = {term: [] for term in terms}
        for term, *row in rows_among(self._connection, query, found):
            found[term].append(Row._make(row))
        return found

    def rows_of_character(self, character: str) -> list[Row]:
        """The rows of the character and of all bigrams that begin with it, unordered."""
        found = self._connection.execute(
            f"SELECT base, number, highest_frequency, shortest, data, large FROM {self._table}"
            " WHERE term >= ? AND term < ? AND length(term) <= 2",
            (character, f"{character}\U0010ffff"),
        )
        return list(map(Row._make, found))

    def count(self, term: str) -> int:
        """Number of passages with the term."""
        (count,) = self._connection.execute(
            f"SELECT COALESCE(SUM(number), 0) FROM {self._table} WHERE term = ?", (term,)
        ).fetchone()
        return int(count)

    def read(self, row: Row) -> Offsets:
        """(base, ids minus base in ascending order, frequencies) of a row."""
        (read,) = self.read_rows([row])
        return read

    def read_rows(self, rows: Sequence[Row]) -> list[Offsets]:
        """`read` for several rows."""
        query = f"SELECT id, data FROM {self._table}_large WHERE id IN ({{values}})"
        wanted = [row.large for row in rows if row.data is None]
        large = dict(rows_among(self._connection, query, wanted))
        return [_decode(row.base, row.number, row.data or large[row.large]) for row in rows]

    def statistics(self) -> IndexStatistics:
        """Current statistics, cached until another connection changes the database."""
        version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        if self._statistics is None or version != self._statistics_version:
            self._statistics = self._read_statistics()
            self._statistics_version = version
        return self._statistics

    def _read_statistics(self) -> IndexStatistics:
        rows = self._connection.execute(
            f"SELECT block, data FROM {self._table}_lengths ORDER BY block"
        ).fetchall()
        lengths = np.zeros((rows[-1][0] + 1) * BLOCK_SIZE if rows else 0, np.uint32)
        for block, data in rows:
            lengths[block * BLOCK_SIZE : (block + 1) * BLOCK_SIZE] = np.frombuffer(data, "<u4")
        number = int(np.count_nonzero(lengths))
        mean = (float(lengths.sum(dtype=np.int64)) - number) / number if number else 0.0
        return IndexStatistics(lengths, number, mean or 1.0)


def _sorted(added: Mapping[int, int]) -> tuple[Ids, npt.NDArray[np.uint16]]:
    passages = sorted(added)
    frequencies = [added[passage] for passage in passages]
    return np.array(passages, np.intp), np.array(frequencies, np.uint16)


def _merged(
    before: Offsets, ids: Ids, frequencies: Frequencies, removed: set[int]
) -> tuple[Ids, Frequencies]:
    """The postings of a row with the changes applied, by id."""
    base, offsets, kept_frequencies = before
    kept = offsets.astype(np.intp) + base
    append = not len(ids) or ids[0] > kept[-1]
    if removed or not append:
        keep = np.isin(kept, [*removed, *ids.tolist()], invert=True)
        kept, kept_frequencies = kept[keep], kept_frequencies[keep]
    ids = np.concatenate([kept, ids])
    frequencies = np.concatenate([kept_frequencies, frequencies])
    if append:
        return ids, frequencies
    order = np.argsort(ids)
    return ids[order], frequencies[order]


def _pieces(ids: Ids) -> Iterator[slice]:
    """Split postings into rows."""
    start = 0
    while start < len(ids):
        stop = min(start + MAX_POSTINGS, len(ids))
        if ids[stop - 1] - ids[start] >= OFFSETS:
            near = start + int(np.searchsorted(ids[start:stop], ids[start] + OFFSETS))
            stop = near if near - start >= MIN_OFFSETS else min(start + MAX_GAPS, stop)
        yield slice(start, stop)
        start = stop


def _encode(ids: Ids, frequencies: Frequencies) -> bytes:
    written = ids - ids[0]
    form = _OFFSETS
    if written[-1] >= OFFSETS:
        written[1:] = ids[1:] - ids[:-1]
        form = _GAPS if written.max() < 1 << 16 else _WIDE_GAPS
    highest = frequencies.max()
    width = _ALL_ONE if highest == 1 else 0 if highest < 1 << 8 else 1
    packed = b"" if width == _ALL_ONE else frequencies.astype(_FREQUENCY_TYPES[width]).tobytes()
    encoded: bytes = written.astype(_ID_TYPES[form]).tobytes()
    return encoded + packed + bytes([form | width << 2])


def _decode(base: int, number: int, data: bytes) -> Offsets:
    form, width = data[-1] & 3, data[-1] >> 2
    ids = np.frombuffer(data, _ID_TYPES[form], number)
    offsets = ids if form == _OFFSETS else np.cumsum(ids, dtype=np.intp)
    if width == _ALL_ONE:
        return base, offsets, np.ones(number, np.uint8)
    end = number * _ID_TYPES[form].itemsize
    return base, offsets, np.frombuffer(data, _FREQUENCY_TYPES[width], number, offset=end)

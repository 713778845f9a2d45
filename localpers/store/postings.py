"""The BM25 index in SQLite: each term's postings in large rows, scored with numpy.

A row holds consecutive postings of one term: all passage ids, then all frequencies, in the
narrowest integers that take them. The ids are offsets from the row's `base`, read as they lie, or
where the term is too rare for two bytes, gaps from one to the next. Beside the data stand the row's
number of postings, its highest frequency and its shortest passage: how much the row can add to a
score at most, whatever the mean length. `lengths` holds the number of terms of every passage plus
one, 0 where there is no passage, in blocks of BLOCK_SIZE ids. Data of more than MOST_INLINE bytes
lies in a table of its own, or SQLite would read it all to step from row to row. A document that
comes or goes rewrites one row per term, in the same transaction as its text.
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

MOST_POSTINGS = 32768
MOST_GAPS = 2048
OFFSETS = 1 << 16
"""A row of offsets covers this many ids at most."""
FEWEST_OFFSETS = 256
"""A term with fewer postings in so many ids gets rows of gaps, or it would have too many rows."""
MOST_INLINE = 400
BLOCK_SIZE = 4096
HIGHEST_FREQUENCY = np.iinfo(np.uint16).max

Ids = npt.NDArray[np.intp]
Frequencies = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Offsets = tuple[int, npt.NDArray[np.uint16] | Ids, Frequencies]

# The last byte of a row's data says how ids (low two bits) and frequencies are written.
_OFFSETS, _GAPS, _WIDE_GAPS = range(3)
_ID_TYPES = tuple(map(np.dtype, ("<u2", "<u2", "<u4")))
_FREQUENCY_TYPES = tuple(map(np.dtype, ("u1", "<u2")))
_ALL_ONE = 3
"""Each frequency is one, and none is written."""


class Row(NamedTuple):
    """A row of postings. Bounds may be loose, never too tight.

    The postings are in `data`, or where that is None, in the `large` data of this id.
    """

    base: int
    number: int
    highest_frequency: int
    shortest: int
    data: bytes | None
    large: int | None


@dataclass(frozen=True, eq=False)
class Collection:
    """The lengths of all passages by id (terms plus one, 0 for none), their number and mean."""

    lengths: npt.NDArray[np.uint32]
    number: int
    mean: float


class Postings:
    """Changes gather in memory until `flush`, which a Store's transaction calls at its end."""

    def __init__(self, db: Any, table: str = "postings") -> None:
        self._db = db
        self._table = table
        self._added: dict[str, dict[int, int]] = defaultdict(dict)
        self._removed: dict[str, set[int]] = defaultdict(set)
        self._lengths: dict[int, int] = {}
        self._collection: Collection | None = None
        self._collection_version = -1

    def add(self, passage: int, terms: Counter[str]) -> None:
        for term, frequency in terms.items():
            self._added[term][passage] = min(frequency, HIGHEST_FREQUENCY)
        self._lengths[passage] = terms.total() + 1

    def remove(self, passage: int, terms: Iterable[str]) -> None:
        """Take a passage out; `terms` must hold every term that it was added with."""
        for term in terms:
            if self._added[term].pop(passage, None) is None:
                self._removed[term].add(passage)
        self._lengths[passage] = 0

    def clear(self) -> None:
        """Remove all postings, inside a transaction."""
        self.discard()
        for end in POSTINGS_TABLES:
            self._db.conn.execute(f"DELETE FROM {self._table}{end}")

    def discard(self) -> None:
        self._added.clear()
        self._removed.clear()
        self._lengths.clear()
        self._collection = None

    def flush(self) -> None:
        """Write the gathered changes; the caller holds a transaction."""
        for term in sorted(self._added.keys() | self._removed.keys()):
            self._write_term(term, self._added.get(term, {}), self._removed.get(term, set()))
        self._write_lengths()
        self.discard()

    def _write_lengths(self) -> None:
        blocks: dict[int, dict[int, int]] = defaultdict(dict)
        for passage, length in self._lengths.items():
            blocks[passage // BLOCK_SIZE][passage % BLOCK_SIZE] = length
        for block, changes in blocks.items():
            row = self._db.conn.execute(
                f"SELECT data FROM {self._table}_lengths WHERE block = ?", (block,)
            ).fetchone()
            lengths = (
                np.zeros(BLOCK_SIZE, "<u4") if row is None else np.frombuffer(row[0], "<u4").copy()
            )
            lengths[list(changes)] = list(changes.values())
            self._db.conn.execute(
                f"INSERT OR REPLACE INTO {self._table}_lengths VALUES (?, ?)",
                (block, lengths.tobytes()),
            )

    def _write_term(self, term: str, added: Mapping[int, int], removed: set[int]) -> None:
        rows = self.rows(term)
        bases = [row.base for row in rows] or [min(added, default=0)]
        coming: dict[int, dict[int, int]] = defaultdict(dict)
        for passage, frequency in added.items():
            coming[max(bisect_right(bases, passage) - 1, 0)][passage] = frequency
        going: dict[int, set[int]] = defaultdict(set)
        for passage in removed - added.keys():
            going[max(bisect_right(bases, passage) - 1, 0)].add(passage)
        for place in coming.keys() | going.keys():
            row = rows[place] if rows else None
            self._write_row(term, row, coming.get(place, {}), going.get(place, set()))

    def _write_row(
        self, term: str, row: Row | None, added: Mapping[int, int], removed: set[int]
    ) -> None:
        """Write a row anew with what was added, as several where it holds too many then."""
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
            if len(data) > MOST_INLINE:
                large, at = None, self._put_large(large, data)
            columns = (highest, shortest, data if at is None else None, at)
            self._db.conn.execute(
                f"INSERT OR REPLACE INTO {self._table} VALUES (?, ?, ?, ?, ?, ?, ?)",
                (term, int(ids[piece.start]), piece.stop - piece.start, *columns),
            )
        if large is not None:
            self._db.conn.execute(f"DELETE FROM {self._table}_large WHERE id = ?", (large,))

    def _put_large(self, id: int | None, data: bytes) -> int:
        """Write large data in the place of another's (`id`), or as new; returns its id."""
        cursor = self._db.conn.execute(
            f"INSERT OR REPLACE INTO {self._table}_large VALUES (?, ?)", (id, data)
        )
        return int(cursor.lastrowid)

    def _delete_row(self, term: str, base: int) -> None:
        self._db.conn.execute(
            f"DELETE FROM {self._table} WHERE term = ? AND base = ?", (term, base)
        )

    def rows(self, term: str) -> list[Row]:
        """The rows of a term, by base; none where no passage holds it."""
        return self.rows_of([term])[term]

    def rows_of(self, terms: Iterable[str]) -> dict[str, list[Row]]:
        """As `rows`, of several terms."""
        query = (
            "SELECT term, base, number, highest_frequency, shortest, data, large"
            f" FROM {self._table} WHERE term IN ({{values}}) ORDER BY term, base"
        )
        found: dict[str, list[Row]] = {term: [] for term in terms}
        for term, *row in rows_among(self._db.conn, query, found):
            found[term].append(Row._make(row))
        return found

    def rows_of_character(self, character: str) -> list[Row]:
        """The rows of the character and of all bigrams that begin with it, in no useful order."""
        found = self._db.conn.execute(
            f"SELECT base, number, highest_frequency, shortest, data, large FROM {self._table}"
            " WHERE term >= ? AND term < ? AND length(term) <= 2",
            (character, f"{character}\U0010ffff"),
        )
        return list(map(Row._make, found))

    def count(self, term: str) -> int:
        """How many passages hold the term."""
        (count,) = self._db.conn.execute(
            f"SELECT COALESCE(SUM(number), 0) FROM {self._table} WHERE term = ?", (term,)
        ).fetchone()
        return int(count)

    def read(self, row: Row) -> Offsets:
        """(base, ids less base, ascending, frequencies) of a row's postings."""
        (read,) = self.read_rows([row])
        return read

    def read_rows(self, rows: Sequence[Row]) -> list[Offsets]:
        """As `read`, of several rows."""
        query = f"SELECT id, data FROM {self._table}_large WHERE id IN ({{values}})"
        wanted = [row.large for row in rows if row.data is None]
        large = dict(rows_among(self._db.conn, query, wanted))
        return [_decode(row.base, row.number, row.data or large[row.large]) for row in rows]

    def collection(self) -> Collection:
        """The lengths as they are now; read again only after somebody changed the database."""
        version = self._db.conn.execute("PRAGMA data_version").fetchone()[0]
        if self._collection is None or version != self._collection_version:
            self._collection = self._read_collection()
            self._collection_version = version
        return self._collection

    def _read_collection(self) -> Collection:
        rows = self._db.conn.execute(
            f"SELECT block, data FROM {self._table}_lengths ORDER BY block"
        ).fetchall()
        lengths = np.zeros((rows[-1][0] + 1) * BLOCK_SIZE if rows else 0, np.uint32)
        for block, data in rows:
            lengths[block * BLOCK_SIZE : (block + 1) * BLOCK_SIZE] = np.frombuffer(data, "<u4")
        number = int(np.count_nonzero(lengths))
        mean = (float(lengths.sum(dtype=np.int64)) - number) / number if number else 0.0
        return Collection(lengths, number, mean or 1.0)


def _sorted(added: Mapping[int, int]) -> tuple[Ids, npt.NDArray[np.uint16]]:
    passages = sorted(added)
    frequencies = [added[passage] for passage in passages]
    return np.array(passages, np.intp), np.array(frequencies, np.uint16)


def _merged(
    before: Offsets, ids: Ids, frequencies: Frequencies, removed: set[int]
) -> tuple[Ids, Frequencies]:
    """A row's postings without those removed and with those that came, by id."""
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
    """Where to cut postings into rows."""
    start = 0
    while start < len(ids):
        stop = min(start + MOST_POSTINGS, len(ids))
        if ids[stop - 1] - ids[start] >= OFFSETS:
            near = start + int(np.searchsorted(ids[start:stop], ids[start] + OFFSETS))
            stop = near if near - start >= FEWEST_OFFSETS else min(start + MOST_GAPS, stop)
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

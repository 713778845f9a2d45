"""The BM25 index in SQLite: postings in blocks, scored with numpy.

Passage ids are cut into blocks of BLOCK_SIZE. For each term and block that has any, one row holds
the postings as a packed array of (passage id within the block, term frequency); for each block,
`lengths` holds the number of terms of every passage plus one, 0 where there is no passage. Adding
or removing a document thus rewrites one small row per term, in the same transaction as its text.
"""

from __future__ import annotations

import struct
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

BLOCK_SIZE = 4096
POSTING = np.dtype([("offset", "<u2"), ("frequency", "<u2")])
HIGHEST_FREQUENCY = np.iinfo(np.uint16).max

Ids = npt.NDArray[np.int64]
Counts = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TermPostings:
    """The passages that hold a term (ids, ascending) and how often each does."""

    passages: Ids
    frequencies: Counts


class Postings:
    """Changes gather in memory until `flush`, which a Store's transaction calls at its end."""

    def __init__(self, db: Any) -> None:
        self._db = db
        self._added: dict[str, dict[int, int]] = defaultdict(dict)
        self._removed: dict[str, set[int]] = defaultdict(set)
        self._lengths: dict[int, int] = {}

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
        self._db.conn.execute("DELETE FROM postings")
        self._db.conn.execute("DELETE FROM lengths")

    def discard(self) -> None:
        self._added.clear()
        self._removed.clear()
        self._lengths.clear()

    def flush(self) -> None:
        """Write the gathered changes; the caller holds a transaction."""
        for term in self._added.keys() | self._removed.keys():
            self._write_term(term, self._added.get(term, {}), self._removed.get(term, set()))
        for block, changes in _by_block(self._lengths).items():
            row = self._db.conn.execute(
                "SELECT data FROM lengths WHERE block = ?", (block,)
            ).fetchone()
            lengths = (
                np.zeros(BLOCK_SIZE, "<u4") if row is None else np.frombuffer(row[0], "<u4").copy()
            )
            for offset, length in changes.items():
                lengths[offset] = length
            self._db.conn.execute(
                "INSERT OR REPLACE INTO lengths VALUES (?, ?)", (block, lengths.tobytes())
            )
        self.discard()

    def _write_term(self, term: str, added: Mapping[int, int], removed: set[int]) -> None:
        new = _by_block(added)
        gone = _by_block(dict.fromkeys(removed, 0)) if removed else {}
        for block in new.keys() | gone.keys():
            row = self._db.conn.execute(
                "SELECT data FROM postings WHERE term = ? AND block = ?", (term, block)
            ).fetchone()
            kept = dict(_unpack(row[0])) if row is not None else {}
            for offset in gone.get(block, ()):
                kept.pop(offset, None)
            kept.update(new.get(block, {}))
            if kept:
                self._db.conn.execute(
                    "INSERT OR REPLACE INTO postings VALUES (?, ?, ?)", (term, block, _pack(kept))
                )
            else:
                self._db.conn.execute(
                    "DELETE FROM postings WHERE term = ? AND block = ?", (term, block)
                )

    def of(self, term: str) -> TermPostings:
        """The postings of one term; empty arrays where no passage holds it."""
        passages: list[Ids] = []
        frequencies: list[Counts] = []
        for block, data in self._db.conn.execute(
            "SELECT block, data FROM postings WHERE term = ? ORDER BY block", (term,)
        ):
            entries = np.frombuffer(data, POSTING)
            passages.append(entries["offset"].astype(np.int64) + block * BLOCK_SIZE)
            frequencies.append(entries["frequency"].astype(np.float64))
        if not passages:
            return TermPostings(np.empty(0, np.int64), np.empty(0, np.float64))
        return TermPostings(np.concatenate(passages), np.concatenate(frequencies))

    def lengths(self) -> npt.NDArray[np.uint32]:
        """For every passage id up to the highest: its number of terms plus one, or 0 for none."""
        rows = self._db.conn.execute("SELECT block, data FROM lengths ORDER BY block").fetchall()
        if not rows:
            return np.zeros(0, np.uint32)
        lengths = np.zeros((rows[-1][0] + 1) * BLOCK_SIZE, np.uint32)
        for block, data in rows:
            lengths[block * BLOCK_SIZE : (block + 1) * BLOCK_SIZE] = np.frombuffer(data, "<u4")
        return lengths


def _pack(frequencies: Mapping[int, int]) -> bytes:
    """(offset, frequency) by offset, as POSTING has them; most are a handful, too few for numpy."""
    flat = [number for posting in sorted(frequencies.items()) for number in posting]
    return struct.pack(f"<{len(flat)}H", *flat)


def _unpack(data: bytes) -> Iterator[tuple[int, int]]:
    return struct.iter_unpack("<HH", data)


def _by_block(values: Mapping[int, int]) -> dict[int, dict[int, int]]:
    blocks: dict[int, dict[int, int]] = defaultdict(dict)
    for passage, value in values.items():
        block, offset = divmod(passage, BLOCK_SIZE)
        blocks[block][offset] = value
    return blocks

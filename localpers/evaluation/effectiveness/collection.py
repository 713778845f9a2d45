"""Test collections: documents, queries, and which of the former answer the latter.

Read from the layout of BEIR (Thakur et al., 2021): `corpus.jsonl` ({_id, title, text} a line),
`queries.jsonl` ({_id, text} a line) and `qrels/SPLIT.tsv` (query-id, corpus-id, score). Each may be
compressed (`.gz`) where the plain file is absent.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from localpers.corpus.readers.blocks import blocks_of_paragraphs
from localpers.corpus.readers.encoding import clean
from localpers.datatypes import Block, BlockKind, Document, Kind
from localpers.errors import LocalpersError
from localpers.evaluation.effectiveness.lines import MEND, lines_of, plain_or_packed
from localpers.evaluation.effectiveness.qrels import QRELS, choose_split, quoted, read_qrels

CORPUS, QUERIES = "corpus.jsonl", "queries.jsonl"


class Unit(StrEnum):
    """What judgements are about; a document stands where its best passage does."""

    DOCUMENT = "document"
    PASSAGE = "passage"


@dataclass(frozen=True, slots=True)
class Query:
    """`judgements`: id of a document (or passage) → grade, above 0 where it is relevant."""

    id: str
    text: str
    judgements: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Collection:
    """`documents` reads them anew at each call, as (id, Document), always in the same order;
    `fingerprint` changes with any of them. `split` is what the judgements are called, `remarks`
    what the user should know about them.
    """

    name: str
    documents: Callable[[], Iterator[tuple[str, Document]]]
    size: int
    queries: tuple[Query, ...]
    fingerprint: str
    unit: Unit = Unit.DOCUMENT
    split: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the corpus or of the queries."""

    number: int
    id: str
    title: str
    text: str


def read_collection(folder: Path, split: str | None = None) -> Collection:
    """The collection in `folder`. `split` names a file of qrels/ (default: `test`, else the only
    one).

    Raises LocalpersError, naming the file and line, for a folder in another layout.
    """
    corpus, asked = _file(folder, CORPUS), _file(folder, QUERIES)
    split, judged = choose_split(folder, split)
    texts = _query_texts(asked)
    judgements = read_qrels(judged, texts)
    queries = tuple(
        Query(id, texts[id], grades) for id, grades in judgements.items() if id in texts
    )
    if not queries:
        raise LocalpersError(
            f"No query of {asked} is judged in {judged}: check that both are of the same "
            "collection, or name another with --split."
        )
    missing = _relevant(queries)
    if not missing:
        raise LocalpersError(
            f"No grade in {judged} is above 0, so there is nothing to find: {MEND}"
        )
    relevant = len(missing)
    size, fingerprint = _survey(corpus, missing)
    if len(missing) == relevant:
        raise LocalpersError(
            f"No document that is relevant by {judged} is in {corpus}: check that both are of the "
            "same collection."
        )
    return Collection(
        name=folder.resolve().name,
        documents=lambda: _documents(corpus),
        size=size,
        queries=queries,
        fingerprint=fingerprint,
        split=split,
        remarks=tuple(_remarks(judged, len(judgements) - len(queries), len(missing))),
    )


def as_document(title: str, text: str) -> Document:
    """A text under its title, as a note with a heading would be."""
    title = " ".join(title.split())
    if not title:
        return Document(text, "", Kind.ARTICLE, blocks_of_paragraphs(text), first_line=None)
    head = f"{title}\n\n"
    blocks = (
        Block(BlockKind.HEADING, 0, len(title), 1),
        *blocks_of_paragraphs(text, len(head)),
    )
    return Document(head + text, title, Kind.ARTICLE, blocks, first_line=None)


def _file(folder: Path, name: str) -> Path:
    found = plain_or_packed(folder / name)
    if found is None:
        raise LocalpersError(
            f"There is no file {folder / name}: give a folder in the BEIR layout ({CORPUS}, "
            f"{QUERIES}, {QRELS}/test.tsv)."
        )
    return found


def _query_texts(path: Path) -> dict[str, str]:
    rows: dict[str, _Row] = {}
    for row in _rows(path):
        if row.id in rows:
            raise _repeated(path, row, rows[row.id].number)
        rows[row.id] = row
    return {id: row.text for id, row in rows.items()}


def _relevant(queries: tuple[Query, ...]) -> set[str]:
    return {id for query in queries for id, grade in query.judgements.items() if grade > 0}


def _survey(corpus: Path, wanted: set[str]) -> tuple[int, str]:
    """How many documents there are and their fingerprint; takes those that there are off `wanted`.

    Raises LocalpersError for an id that two documents have.
    """
    digest = hashlib.sha256()
    hashes = array("q")  # Of millions of documents, the ids themselves would fill the memory.
    for row in _rows(corpus, digest.update):
        hashes.append(hash(row.id))
        wanted.discard(row.id)
    values, counts = np.unique(np.array(hashes, dtype=np.int64), return_counts=True)
    if suspects := frozenset(values[counts > 1].tolist()):
        _refuse_repetitions(corpus, suspects)
    return len(hashes), digest.hexdigest()


def _refuse_repetitions(corpus: Path, hashes: frozenset[int]) -> None:
    numbers: dict[str, int] = {}
    for row in _rows(corpus):
        if hash(row.id) not in hashes:
            continue
        if row.id in numbers:
            raise _repeated(corpus, row, numbers[row.id])
        numbers[row.id] = row.number


def _repeated(path: Path, row: _Row, before: int) -> LocalpersError:
    return LocalpersError(
        f"Line {row.number} of {path} has the '_id' {quoted(row.id)} of line {before}: remove one "
        "of the two or rename it, or get the collection again."
    )


def _remarks(judged: Path, unknown: int, missing: int) -> Iterator[str]:
    if unknown:
        yield f"{unknown:,} of the queries in {judged} are not in {QUERIES} and are left out."
    if missing:
        yield (
            f"{missing:,} of the documents that are relevant by {judged} are not in {CORPUS}: they "
            "count as not found."
        )


def _documents(corpus: Path) -> Iterator[tuple[str, Document]]:
    for row in _rows(corpus):
        yield row.id, as_document(row.title, row.text)


def _rows(path: Path, on_bytes: Callable[[bytes], object] | None = None) -> Iterator[_Row]:
    for number, line in lines_of(path, on_bytes):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict) or "_id" not in row or "text" not in row:
            raise LocalpersError(
                f"Line {number} of {path} is no JSON object with '_id' and 'text': {MEND}"
            )
        id, title, text = _id_of(row), _text_of(row, "title"), _text_of(row, "text")
        if id is None:
            raise LocalpersError(
                f"Line {number} of {path} has an '_id' that is neither readable text nor a whole "
                f"number: {MEND}"
            )
        if title is None or text is None:
            raise LocalpersError(
                f"Line {number} of {path} has a 'title' or 'text' that is no text: {MEND}"
            )
        yield _Row(number, id, title, text)


def _id_of(row: Mapping[str, Any]) -> str | None:
    """As judgements write it; None where they, being lines of plain text, cannot."""
    id = row["_id"]
    if isinstance(id, bool) or not isinstance(id, str | int):
        return None
    text = str(id)
    return text if text and clean(text) == text else None


def _text_of(row: Mapping[str, Any], key: str) -> str | None:
    value = row.get(key)
    if value is None:
        return ""
    return clean(str(value)) if isinstance(value, str | int | float) else None

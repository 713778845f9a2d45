"""Test collections in the layout of BEIR (Thakur et al., 2021).

`corpus.jsonl` ({_id, title, text} a line), `queries.jsonl` ({_id, text} a line) and
`qrels/SPLIT.tsv` (query-id, corpus-id, score). Each may be compressed (`.gz`) where the plain file
is absent. Every error names the file and the line.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from array import array
from codecs import BOM_UTF8
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from localpers.bench.retrieval.collection import Collection, Query
from localpers.corpus.readers.blocks import blocks_of_paragraphs
from localpers.corpus.readers.encoding import clean
from localpers.datatypes import Block, BlockKind, Document, Kind
from localpers.errors import LocalpersError

CORPUS, QUERIES, QRELS = "corpus.jsonl", "queries.jsonl", "qrels"
PREFERRED_SPLIT = "test"
FIX = "fix it, or get the collection again."
MOST_LINE_BYTES = 64 * 1024 * 1024
"""A file without line ends, or one that unpacks to terabytes, stops here."""


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

    Raises LocalpersError for a folder in another layout and for damaged files.
    """
    corpus, asked = _file(folder, CORPUS), _file(folder, QUERIES)
    split, judged = _choose_split(folder / QRELS, split)
    rows = list(_rows(asked))
    _require_unique(asked, (hash(row.id) for row in rows))
    texts = {row.id: row.text for row in rows}
    judgements = _read_qrels(judged, texts)
    queries = tuple(
        Query(id, texts[id], grades) for id, grades in judgements.items() if id in texts
    )
    if not queries:
        raise LocalpersError(
            f"No query of {asked} is judged in {judged}: check that both belong to the same "
            "collection, or name another with --split."
        )
    missing = {id for query in queries for id, grade in query.judgements.items() if grade > 0}
    if not missing:
        raise LocalpersError(f"No grade in {judged} is above 0, so nothing can be found: {FIX}")
    relevant = len(missing)
    digest, hashes = hashlib.sha256(), array("q")  # Millions of ids themselves would fill memory.
    for row in _rows(corpus, digest.update):
        hashes.append(hash(row.id))
        missing.discard(row.id)
    _require_unique(corpus, hashes)
    if len(missing) == relevant:
        raise LocalpersError(
            f"No document that is relevant by {judged} is in {corpus}: check that both belong to "
            "the same collection."
        )
    unknown, remarks = len(judgements) - len(queries), []
    if unknown:
        remarks.append(f"{unknown:,} of the queries in {judged} are not in {QUERIES}: left out.")
    if missing:
        remarks.append(
            f"{len(missing):,} of the documents that are relevant by {judged} are not in {CORPUS}: "
            "they count as not found."
        )
    return Collection(
        name=folder.resolve().name,
        documents=lambda: ((row.id, _document(row)) for row in _rows(corpus)),
        size=len(hashes),
        fingerprint=digest.hexdigest(),
        queries=queries,
        split=split,
        remarks=tuple(remarks),
    )


def _document(row: _Row) -> Document:
    """The text under its title, as a note with a heading."""
    title = " ".join(row.title.split())
    head = f"{title}\n\n" if title else ""
    blocks = blocks_of_paragraphs(row.text, len(head))
    if title:
        blocks = (Block(BlockKind.HEADING, 0, len(title), 1), *blocks)
    return Document(head + row.text, title, Kind.ARTICLE, blocks, first_line=None)


def _file(folder: Path, name: str) -> Path:
    found = next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)
    if found is None:
        raise LocalpersError(
            f"There is no file {folder / name}: give a folder in the BEIR layout ({CORPUS}, "
            f"{QUERIES}, {QRELS}/test.tsv)."
        )
    return found


def _require_unique(path: Path, hashes: Iterable[int]) -> None:
    """Raises LocalpersError for an id that stands twice, given the hashes of all ids."""
    values, counts = np.unique(np.fromiter(hashes, np.int64), return_counts=True)
    suspects = set(values[counts > 1].tolist())
    if not suspects:
        return
    numbers: dict[str, int] = {}
    for row in _rows(path):
        if hash(row.id) not in suspects:
            continue
        if row.id in numbers:
            raise LocalpersError(
                f"Line {row.number} of {path} has the '_id' {_quoted(row.id)} of line "
                f"{numbers[row.id]}: remove or rename one of them, or get the collection again."
            )
        numbers[row.id] = row.number


def _rows(path: Path, on_bytes: Callable[[bytes], object] | None = None) -> Iterator[_Row]:
    for number, line in _lines(path, on_bytes):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict) or "_id" not in row or "text" not in row:
            raise LocalpersError(
                f"Line {number} of {path} is no JSON object with '_id' and 'text': {FIX}"
            )
        id, title, text = _id(row["_id"]), _text(row.get("title")), _text(row["text"])
        if id is None:
            raise LocalpersError(
                f"Line {number} of {path} has an '_id' that is neither readable text nor a whole "
                f"number: {FIX}"
            )
        if title is None or text is None:
            raise LocalpersError(
                f"Line {number} of {path} has a 'title' or 'text' that is no text: {FIX}"
            )
        yield _Row(number, id, title, text)


def _id(value: Any) -> str | None:
    """As qrels write it; None where they, being lines of plain text, cannot."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    return text if text and clean(text) == text else None


def _text(value: Any) -> str | None:
    if value is None:
        return ""
    return clean(str(value)) if isinstance(value, str | int | float) else None


def _lines(
    path: Path, on_bytes: Callable[[bytes], object] | None = None
) -> Iterator[tuple[int, str]]:
    """(number, text) of each line that is not blank; `on_bytes` gets every line as stored."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            number = 0
            while stored := file.readline(MOST_LINE_BYTES + 1):
                number += 1
                if len(stored) > MOST_LINE_BYTES:
                    raise LocalpersError(
                        f"Line {number} of {path} is longer than {MOST_LINE_BYTES >> 20} MiB: {FIX}"
                    )
                if on_bytes:
                    on_bytes(stored)
                try:
                    line = (stored.removeprefix(BOM_UTF8) if number == 1 else stored).decode()
                except UnicodeDecodeError:
                    raise LocalpersError(f"Line {number} of {path} is not UTF-8: {FIX}") from None
                if line.strip():
                    yield number, line.rstrip("\r\n")
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise LocalpersError(
            f"{path} is cut off, damaged or not compressed by gzip: get the collection again."
        ) from None


def _choose_split(folder: Path, split: str | None) -> tuple[str, Path]:
    """The split's name and file: the one called `split`, else `test`, else the only one."""
    found: dict[str, Path] = {}
    for suffix in (".tsv.gz", ".tsv"):  # A plain file before a compressed one.
        for path in sorted(folder.glob(f"*{suffix}")):
            if path.is_file() and not path.name.startswith("."):  # macOS packs `._` files along.
                found[path.name.removesuffix(suffix)] = path
    if not found:
        raise LocalpersError(f"{folder} holds no .tsv file: put the judgements there as test.tsv.")
    if split is None:
        split = next(iter(found)) if len(found) == 1 else PREFERRED_SPLIT
    if split not in found:
        raise LocalpersError(
            f"There is no {split}.tsv in {folder}: name one of {', '.join(sorted(found))} by "
            "--split."
        )
    return split, found[split]


def _read_qrels(path: Path, queries: Container[str]) -> dict[str, dict[str, int]]:
    """query id → document id → grade; lines of three columns, or of trec_eval's four."""
    judgements: dict[str, dict[str, int]] = {}
    for at, (number, line) in enumerate(_lines(path)):
        columns = line.split("\t")
        grade, whole = _number(columns[-1]), len(columns) in (3, 4)
        # A header; but a first column that is a query's id belongs to a damaged judgement.
        if not at and whole and grade is None and columns[0] not in queries:
            continue
        if not whole or not columns[0] or not columns[-2] or grade is None:
            raise LocalpersError(
                f"Line {number} of {path} is not 'query-id, corpus-id, score', separated by tabs: "
                f"{FIX}"
            )
        if not grade.is_integer():
            raise LocalpersError(
                f"Line {number} of {path} has the grade {columns[-1].strip()}, which is no whole "
                "number: write 0 for what is not relevant, 1 or more for what is."
            )
        query, document = columns[0], columns[-2]
        if judgements.setdefault(query, {}).setdefault(document, int(grade)) != grade:
            raise LocalpersError(
                f"Line {number} of {path} judges {_quoted(document)} for {_quoted(query)} again, "
                "with another grade: remove one of the two lines."
            )
    return judgements


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _quoted(id: str) -> str:
    """An id for a message: on one line, whatever it holds."""
    return json.dumps(id if len(id) <= 60 else id[:59] + "…", ensure_ascii=False)

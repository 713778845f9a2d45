"""Test collections: documents, queries, and which of the former answer the latter.

Read from the layout of BEIR (Thakur et al., 2021): `corpus.jsonl` ({_id, title, text} a line),
`queries.jsonl` ({_id, text} a line) and `qrels/SPLIT.tsv` (query-id, corpus-id, score).
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from localpers.corpus.readers.blocks import blocks_of_paragraphs
from localpers.datatypes import Block, BlockKind, Document, Kind
from localpers.errors import LocalpersError

CORPUS, QUERIES, QRELS = "corpus.jsonl", "queries.jsonl", "qrels"
PREFERRED_SPLIT = "test"


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
    `fingerprint` changes with any of them.
    """

    name: str
    documents: Callable[[], Iterator[tuple[str, Document]]]
    size: int
    queries: tuple[Query, ...]
    fingerprint: str
    unit: Unit = Unit.DOCUMENT


def read_collection(folder: Path, split: str | None = None) -> Collection:
    """The collection in `folder`. `split` names a file of qrels/ (default: `test`, else the only
    one).

    Raises LocalpersError, naming the file and line, for a folder in another layout.
    """
    corpus = folder / CORPUS
    for path in (corpus, folder / QUERIES):
        if not path.is_file():
            raise LocalpersError(
                f"There is no file {path}: give a folder in the BEIR layout ({CORPUS}, {QUERIES}, "
                f"{QRELS}/{PREFERRED_SPLIT}.tsv)."
            )
    judgements = _read_qrels(_qrels_file(folder, split))
    texts = {_id_of(row, folder / QUERIES): _text_of(row) for row in _rows(folder / QUERIES)}
    queries = tuple(
        Query(id, texts[id], judged) for id, judged in judgements.items() if id in texts
    )
    if not queries:
        raise LocalpersError(
            f"No query of {folder / QUERIES} is judged in {_qrels_file(folder, split)}: check that "
            "both are of the same collection, or name another with --split."
        )
    size = sum(1 for _ in _rows(corpus))
    with corpus.open("rb") as file:
        fingerprint = hashlib.file_digest(file, "sha256").hexdigest()
    return Collection(folder.name, lambda: _documents(corpus), size, queries, fingerprint)


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


def _documents(corpus: Path) -> Iterator[tuple[str, Document]]:
    for row in _rows(corpus):
        yield _id_of(row, corpus), as_document(str(row.get("title") or ""), _text_of(row))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict) or "_id" not in row:
                raise LocalpersError(
                    f"Line {number} of {path} is no JSON object with an '_id': mend it, or get the "
                    "collection again."
                )
            yield row


def _id_of(row: Mapping[str, Any], path: Path) -> str:
    return str(row["_id"])


def _text_of(row: Mapping[str, Any]) -> str:
    return str(row.get("text") or "")


def _qrels_file(folder: Path, split: str | None) -> Path:
    there = sorted((folder / QRELS).glob("*.tsv"))
    names = [path.stem for path in there]
    if split is None and PREFERRED_SPLIT in names:
        split = PREFERRED_SPLIT
    if split is None and len(there) == 1:
        return there[0]
    if split in names:
        return folder / QRELS / f"{split}.tsv"
    known = f"there are {', '.join(names)}" if names else f"{folder / QRELS} holds no .tsv file"
    raise LocalpersError(f"Which judgements are meant is not clear ({known}): name one by --split.")


def _read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """query id → document id → grade; lines of three columns, or of trec_eval's four."""
    judgements: dict[str, dict[str, int]] = defaultdict(dict)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, 1):
        columns = line.split("\t")
        if not line.strip():
            continue
        try:
            query, *_, document, grade = columns
            judgements[query][document] = int(float(grade))
        except ValueError:
            if number == 1:  # The names of the columns.
                continue
            raise LocalpersError(
                f"Line {number} of {path} is not 'query-id, corpus-id, score', separated by tabs: "
                "mend it, or get the collection again."
            ) from None
    return dict(judgements)

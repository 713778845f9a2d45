"""Judgements of a test collection: which document answers which query, and how well."""

from __future__ import annotations

import json
from collections.abc import Container
from pathlib import Path

from localpers.errors import LocalpersError
from localpers.evaluation.effectiveness.lines import MEND, PACKED, lines_of

QRELS = "qrels"
PREFERRED_SPLIT = "test"
_SUFFIX = ".tsv"


def choose_split(folder: Path, split: str | None) -> tuple[str, Path]:
    """The split's name and file: the one called `split`, else `test`, else the only one.

    Raises LocalpersError where that leaves none, or several.
    """
    there = _splits(folder / QRELS)
    if not there:
        raise LocalpersError(
            f"{folder / QRELS} holds no .tsv file: put the judgements there as "
            f"{PREFERRED_SPLIT}{_SUFFIX}."
        )
    if split is None:
        split = next(iter(there)) if len(there) == 1 else PREFERRED_SPLIT
    if split not in there:
        raise LocalpersError(
            f"There is no {split}{_SUFFIX} in {folder / QRELS}: name one of {', '.join(there)} by "
            "--split."
        )
    return split, there[split]


def read_qrels(path: Path, queries: Container[str]) -> dict[str, dict[str, int]]:
    """query id → document id → grade; lines of three columns, or of trec_eval's four. `queries` are
    the ids of the collection's queries.

    Raises LocalpersError, naming the line, for what is no such line or contradicts another.
    """
    judgements: dict[str, dict[str, int]] = {}
    first = True
    for number, line in lines_of(path):
        columns = line.split("\t")
        if first and _is_header(columns, queries):
            first = False
            continue
        first = False
        query, document, grade = _judgement(columns, number, path)
        if judgements.setdefault(query, {}).setdefault(document, grade) != grade:
            raise LocalpersError(
                f"Line {number} of {path} judges {quoted(document)} for {quoted(query)} again, "
                "with another grade: remove one of the two lines."
            )
    return judgements


def quoted(id: str) -> str:
    """An id for a message: in one line, whatever is in it."""
    return json.dumps(id if len(id) <= 60 else id[:59] + "…", ensure_ascii=False)


def _splits(folder: Path) -> dict[str, Path]:
    """Files by name, a plain one before a compressed one; without what macOS packs along (._)."""
    found: dict[str, Path] = {}
    for suffix in (_SUFFIX + PACKED, _SUFFIX):
        for path in folder.glob(f"*{suffix}"):
            if path.is_file() and not path.name.startswith("."):
                found[path.name.removesuffix(suffix)] = path
    return dict(sorted(found.items()))


def _is_header(columns: list[str], queries: Container[str]) -> bool:
    """Whether a first line holds names; a query's id at its beginning tells a mangled judgement."""
    return len(columns) in (3, 4) and _number(columns[-1]) is None and columns[0] not in queries


def _judgement(columns: list[str], number: int, path: Path) -> tuple[str, str, int]:
    grade = _number(columns[-1])
    if len(columns) not in (3, 4) or not columns[0] or not columns[-2] or grade is None:
        raise LocalpersError(
            f"Line {number} of {path} is not 'query-id, corpus-id, score', separated by tabs: "
            f"{MEND}"
        )
    if not grade.is_integer():
        raise LocalpersError(
            f"Line {number} of {path} has the grade {columns[-1].strip()}, which is no whole "
            "number: write 0 for what is not relevant, 1 or more for what is."
        )
    return columns[0], columns[-2], int(grade)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None

"""The results file: JSON lines, a head first, then one line per answer.

It is appended to while questions are answered, so that an interrupted run continues from it. What
decides an answer stands in the head's configuration; how many users and which conditions does not,
so that more of either can be added.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from localpers.errors import LocalpersError
from localpers.locks import locked
from localpers.profile import FILE_MODE, write_atomically


@dataclass(frozen=True, slots=True)
class Record:
    """One question answered under one condition.

    `number` is the question's place in the set; `text` is what the model wrote and `prediction` the
    answer in it; `scores` as scores.scores_of has them; `nats` the negative log-likelihood of the
    gold answer over its `tokens`. `details` tells of the drafts, the adapter and the choice behind
    it.
    """

    user: str
    question: str
    number: int
    condition: str
    text: str
    prediction: str
    gold: str
    scores: Mapping[str, float]
    nats: float
    tokens: int
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        return self.question, self.condition


class ResultsFile:
    """Records on disk. Open it with `opened`."""

    def __init__(self, path: Path, file: TextIO, records: list[Record]) -> None:
        self.path = path
        self._file = file
        self.records = records

    def add(self, record: Record) -> None:
        self._file.write(_line(_as_json(record)))
        self._file.flush()
        self.records.append(record)


@dataclass(frozen=True, slots=True)
class Head:
    """`configuration` is what decides the answers; `conditions` and the number of `questions` what
    the latest run on the file was asked for.
    """

    configuration: Mapping[str, Any]
    conditions: tuple[str, ...] = ()
    questions: int = 0


@contextmanager
def opened(path: Path, head: Head, again: bool) -> Iterator[ResultsFile]:
    """The results of `head.configuration` at `path`, continued, or started over with `again`.

    Raises LocalpersError where the file holds another configuration's results, or something else,
    and where another run has it open.
    """
    busy = LocalpersError(
        f"Another run is writing {path}: wait for it to finish, or name another file with "
        "--results."
    )
    with locked(path.with_name(f".{path.name}.lock"), lambda: busy):
        records = _continued(path, head) if not again and path.exists() else []
        lines = [_line(asdict(head)), *(_line(_as_json(record)) for record in records)]
        # Written as a whole: half a line that a killed run left goes, and modes are set again.
        write_atomically(path, "".join(lines))
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND, FILE_MODE), "w") as file:
            yield ResultsFile(path, file, records)


def read(path: Path) -> tuple[Head, list[Record]]:
    """What is in a results file, without half a line at its end. Raises LocalpersError."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    try:
        head = Head(**json.loads(whole[0]))
        return head, [_from_json(json.loads(line)) for line in whole[1:]]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise LocalpersError(
            f"{path} holds no results that can be continued: name another file with --results, "
            "or start over with --again."
        ) from error


def _continued(path: Path, head: Head) -> list[Record]:
    found, records = read(path)
    wanted = json.loads(json.dumps(head.configuration))
    if found.configuration != wanted:
        names = {*found.configuration, *wanted}
        differing = sorted(n for n in names if found.configuration.get(n) != wanted.get(n))
        raise LocalpersError(
            f"{path} holds results of other settings ({', '.join(differing)}): name another file "
            "with --results, or start over with --again."
        )
    return records


def _as_json(record: Record) -> dict[str, Any]:
    """`nll` (nats per token) is there for readers; it follows from the other two."""
    row = asdict(record)
    row["nll"] = record.nats / max(record.tokens, 1)
    return row


def _from_json(row: dict[str, Any]) -> Record:
    row.pop("nll", None)
    return Record(**row)


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=True) + "\n"

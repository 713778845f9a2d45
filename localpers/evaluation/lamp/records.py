"""The results file: JSON lines, the configuration first, then one line per answer.

It is appended to while questions are answered, so that an interrupted run goes on from it. What
decides an answer stands in the configuration; how many users and which conditions does not, so
that more of either can be added.
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

    `text` is what the model wrote and `prediction` the answer in it; `scores` as answers.scores_of
    has them; `nats` the negative log-likelihood of the gold answer over its `tokens`. `details`
    tells of the drafts, the adapter and the choice behind it.
    """

    user: str
    question: str
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


@contextmanager
def opened(path: Path, configuration: Mapping[str, Any], again: bool) -> Iterator[ResultsFile]:
    """The results of `configuration` at `path`, gone on with, or begun anew with `again`.

    Raises LocalpersError where the file holds another configuration's results, or something else,
    and where another run has it open.
    """
    with _held(path):
        yield from _opened(path, configuration, again)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    busy = LocalpersError(
        f"Another run is writing {path}: wait for it to finish, or name another file with "
        "--results."
    )
    with locked(path.with_name(f".{path.name}.lock"), lambda: busy):
        yield


def _opened(path: Path, configuration: Mapping[str, Any], again: bool) -> Iterator[ResultsFile]:
    records = [] if again or not path.exists() else _read(path, configuration)
    content = [_line({"configuration": configuration}), *(_line(_as_json(r)) for r in records)]
    # Written as a whole: what a killed run left of its last line goes, and modes are mended.
    write_atomically(path, "".join(content))
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND, FILE_MODE), "w") as file:
        yield ResultsFile(path, file, records)


def _read(path: Path, configuration: Mapping[str, Any]) -> list[Record]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    try:
        found = json.loads(whole[0])["configuration"] if whole else dict(configuration)
        records = [_from_json(json.loads(line)) for line in whole[1:]]
    except (ValueError, KeyError, TypeError) as error:
        raise LocalpersError(
            f"{path} holds no results that can be gone on with: name another file with --results, "
            "or begin anew with --again."
        ) from error
    if found != json.loads(json.dumps(configuration)):
        differing = sorted(
            name for name in {*found, *configuration} if found.get(name) != configuration.get(name)
        )
        raise LocalpersError(
            f"{path} holds results of other settings ({', '.join(differing)}): name another file "
            "with --results, or begin anew with --again."
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

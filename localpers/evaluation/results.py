"""What an evaluation found: kept as measured, so that figures and report can be made again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localpers.encryption.vault import keep
from localpers.errors import LocalpersError
from localpers.profile import write_atomically

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Scored:
    """One trial under one condition. `document` is the content hash; likelihoods as Measurement.

    `rouge_1`, `rouge_l`, `chrf`, `style`, `style_base`, `distinct_1`, `distinct_2` are fractions,
    `copied` counts words. `text` is what was written; empty where it may hold another person's
    words.
    """

    condition: str
    document: str
    task: str
    kind: str
    nats: float
    tokens: int
    bytes: int
    rouge_1: float
    rouge_l: float
    chrf: float
    style: float
    style_base: float
    copied: int
    distinct_1: float
    distinct_2: float
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One question under one condition; fields as QuestionScore, `nll` None where that is NaN."""

    condition: str
    document: str
    question: str
    term: str
    right: bool
    cited: bool
    retrieved: bool
    nll: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What the person wrote for a trial: `request` and, as long as a generation, `truth`."""

    document: str
    task: str
    title: str
    date: str
    request: str
    truth: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`neutral` holds the perplexity of the neutral text by model ("base", "tuned"); `others` says
    whose passages "mismatched" are; `settings` is what decides the figures.
    """

    run: str | None
    base: str
    created: str
    conditions: tuple[str, ...]
    settings: dict[str, Any]
    others: str
    split_by: str
    verdict: dict[str, Any] | None
    trials: tuple[Shown, ...]
    scores: tuple[Scored, ...]
    questions: tuple[Asked, ...]
    neutral: dict[str, float]
    losses: tuple[float, ...]
    growth: tuple[dict[str, Any], ...]
    seconds: float

    @property
    def documents(self) -> int:
        return len({trial.document for trial in self.trials})

    def of(self, condition: str) -> list[Scored]:
        return [score for score in self.scores if score.condition == condition]

    def save(self, path: Path) -> None:
        content = {"format": FORMAT, **dataclasses.asdict(self)}
        write_atomically(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> Evaluation:
        """Raises LocalpersError where the file is missing, damaged or of another version."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content.pop("format") != FORMAT:
                raise ValueError
            content |= {
                "conditions": tuple(content["conditions"]),
                "trials": tuple(Shown(**row) for row in content["trials"]),
                "scores": tuple(Scored(**row) for row in content["scores"]),
                "questions": tuple(Asked(**row) for row in content["questions"]),
                "losses": tuple(content["losses"]),
                "growth": tuple(content["growth"]),
            }
            return cls(**content)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LocalpersError(
                f"{path} is missing or damaged: run 'localpers eval' again."
            ) from error


class Ledger:
    """Rows appended as they are measured, so that an interrupted evaluation goes on.

    The first line tells the settings; rows under other settings are forgotten.
    """

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self._path = path
        self._rows: dict[str, dict[str, Any]] = {}
        head = json.dumps(settings, sort_keys=True)
        kept = list(_lines(path))
        if kept and json.dumps(kept[0], sort_keys=True) == head:
            self._rows = {row["key"]: row["value"] for row in kept[1:]}
        # Written anew, so that no row is appended to a line that was cut off.
        rows = (_line(key, value) for key, value in self._rows.items())
        write_atomically(path, "".join((head + "\n", *rows)))

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: Sequence[str]) -> dict[str, Any] | None:
        return self._rows.get("\t".join(key))

    def put(self, key: Sequence[str], value: dict[str, Any]) -> None:
        name = "\t".join(key)
        self._rows[name] = value
        with self._path.open("a", encoding="utf-8") as file:
            file.write(_line(name, value))
        keep(self._path)

    def close(self) -> None:
        """Everything is measured: the rows are in the Evaluation now."""
        self._path.unlink(missing_ok=True)


def _line(key: str, value: dict[str, Any]) -> str:
    return json.dumps({"key": key, "value": value}) + "\n"


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of the file, up to one cut off by an interruption."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return
    for line in text.split("\n"):
        try:
            row = json.loads(line)
        except ValueError:
            return
        if isinstance(row, dict):
            yield row

"""What an evaluation found, kept as measured, so that figures and report can be made from it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localpers.profile import write_atomically

FORMAT = 1


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One trial under one condition. `document` is the content hash; likelihoods as Measurement.

    `copied` counts words, the other measures are fractions. `text` is what was written; empty where
    it may hold another person's words.
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

    @property
    def nll(self) -> float:
        """Nats per token of the true text."""
        return self.nats / max(self.tokens, 1)


@dataclass(frozen=True, slots=True)
class QuestionResult:
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
class Reference:
    """What the person wrote for a trial: the `request`, and as much of `truth` as was compared."""

    document: str
    task: str
    title: str
    date: str
    request: str
    truth: str


@dataclass(frozen=True, slots=True)
class GrowthPoint:
    """A finished run. `gain` is the share by which its nats per token of held-out writing lie below
    the base's, both with retrieval.
    """

    run: str
    base: str
    documents: int
    tokens: int
    gain: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`neutral` is the perplexity of the neutral text by model ("base", "tuned", or a run's id);
    `others` says whose passages "mismatched" are; `settings` holds what decides the figures.
    """

    run: str | None
    base: str
    created: str
    conditions: tuple[str, ...]
    settings: dict[str, Any]
    others: str
    split_by: str
    verdict: dict[str, Any] | None
    trials: tuple[Reference, ...]
    scores: tuple[TrialResult, ...]
    questions: tuple[QuestionResult, ...]
    neutral: dict[str, float]
    losses: tuple[float, ...]
    growth: tuple[GrowthPoint, ...]
    seconds: float

    @property
    def documents(self) -> int:
        return len({trial.document for trial in self.trials})

    def of(self, condition: str) -> list[TrialResult]:
        return [score for score in self.scores if score.condition == condition]

    def save(self, path: Path) -> None:
        content = {"format": FORMAT, **dataclasses.asdict(self)}
        write_atomically(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")

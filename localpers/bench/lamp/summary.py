"""Figures of a run: metrics with intervals over questions, and what each condition gains."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from localpers.assistant.forms import AnswerKind
from localpers.bench.lamp.records import Record
from localpers.bench.lamp.tasks import Task
from localpers.evaluation.bootstrap import (
    Interval,
    difference_interval,
    mean_interval,
    relative_interval,
)
from localpers.evaluation.metrics import macro_f1

FEWEST_OF_A_USER = 3
"""Questions below which nothing is said about a single user."""
LOWER_IS_BETTER = frozenset({"mae", "rmse", "nll"})
REFERENCE = "base"


@dataclass(frozen=True, slots=True)
class Measured:
    """One condition. `relative` is its improvement over `base` as a share (of the base's figure;
    positive is better, also where a metric is an error), empty without `base` and for `base`, and
    without a metric that is zero for the base.
    """

    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]
    relative: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class Loss:
    """A user for whom a condition is significantly worse than `base`: the main metric's change."""

    user: str
    condition: str
    questions: int
    change: Interval


@dataclass(frozen=True, slots=True)
class Summary:
    """Over the questions that all conditions answered."""

    task: Task
    users: int
    questions: int
    conditions: Mapping[str, Measured]
    losses: tuple[Loss, ...]


def summarize(task: Task, names: Sequence[str], records: Sequence[Record]) -> Summary:
    """The figures of these conditions, the same for the same records in whatever order."""
    by_key = {record.key: record for record in records if record.condition in names}
    rows = sorted(by_key.values(), key=lambda record: record.number)
    questions = list(dict.fromkeys(record.question for record in rows))
    asked = [one for one in questions if all((one, name) in by_key for name in names)]
    table = {name: [by_key[question, name] for question in asked] for name in names}
    base = table.get(REFERENCE)
    return Summary(
        task=task,
        users=len({row.user for row in table[names[0]]}),
        questions=len(asked),
        conditions={
            name: _measured(task, found, base if name != REFERENCE else None)
            for name, found in table.items()
        },
        losses=tuple(_losses(task, table)) if base else (),
    )


def _measured(task: Task, rows: Sequence[Record], base: Sequence[Record] | None) -> Measured:
    intervals: dict[str, Interval] = {}
    relative: dict[str, Interval] = {}
    for metric in (*task.metrics, "nll"):
        if metric == "macro_f1":
            continue
        ours = _values(metric, rows)
        weights = [float(row.tokens) for row in rows] if metric == "nll" else None
        intervals[metric] = _rooted(metric, mean_interval(ours, weights))
        if base is not None:
            theirs = _values(metric, base)
            if weights:
                ours = [value * weight for value, weight in zip(ours, weights, strict=True)]
                theirs = [value * weight for value, weight in zip(theirs, weights, strict=True)]
            if any(theirs):
                relative[metric] = _improvement(metric, relative_interval(ours, theirs))
    metrics = {metric: found.value for metric, found in intervals.items()}
    if task.form.kind is AnswerKind.LABEL:
        metrics["macro_f1"] = _macro_f1(rows)
    order = (*task.metrics, "nll")
    return Measured({name: metrics[name] for name in order}, intervals, relative)


def _values(metric: str, rows: Sequence[Record]) -> list[float]:
    """The metric of each question; for rmse its square, whose mean the root is taken of."""
    if metric == "nll":
        return [row.nats / max(row.tokens, 1) for row in rows]
    if metric == "accuracy":
        return [row.scores["correct"] for row in rows]
    if metric in ("mae", "rmse"):
        return [row.scores["error"] ** (2 if metric == "rmse" else 1) for row in rows]
    return [row.scores[metric] for row in rows]


def _macro_f1(rows: Sequence[Record]) -> float:
    """Over the labels that were wanted or predicted, as scikit-learn has it; a prediction that is
    no label (`known`) counts as wrong only.
    """
    gold = [_folded(row.gold) for row in rows]
    predicted = [_folded(row.prediction) for row in rows]
    known = {_folded(row.prediction) for row in rows if row.details.get("known")}
    return macro_f1(predicted, gold, sorted({*gold, *known}))


def _folded(label: str) -> str:
    return label.strip().casefold()


def _rooted(metric: str, found: Interval) -> Interval:
    if metric != "rmse":
        return found
    return Interval(math.sqrt(found.value), math.sqrt(found.low), math.sqrt(found.high))


def _improvement(metric: str, change: Interval) -> Interval:
    if metric == "rmse":
        low, value, high = (math.sqrt(x + 1) - 1 for x in (change.low, change.value, change.high))
        change = Interval(value, low, high)
    if metric in LOWER_IS_BETTER:
        return Interval(-change.value, -change.high, -change.low)
    return change


def _losses(task: Task, table: Mapping[str, Sequence[Record]]) -> list[Loss]:
    metric = task.metrics[0]
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    found = []
    for name, rows in table.items():
        for user in dict.fromkeys(row.user for row in rows):
            ours = [row for row in rows if row.user == user]
            theirs = [row for row in table[REFERENCE] if row.user == user]
            if name == REFERENCE or len(ours) < FEWEST_OF_A_USER:
                continue
            change = difference_interval(
                [sign * value for value in _values(metric, ours)],
                [sign * value for value in _values(metric, theirs)],
            )
            if change.high < 0:
                found.append(Loss(user, name, len(ours), change))
    return found

"""Figures of an Evaluation: means by condition with confidence intervals, by kind and task."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from localpers.evaluation.bootstrap import Interval, difference_interval, mean_interval
from localpers.evaluation.results import Evaluation, QuestionResult, TrialResult

DIGITS = 5
Ratio = Callable[[TrialResult], tuple[float, float]]
"""A measurement's (numerator, denominator): sums of both over what is averaged make the figure."""

METRICS: dict[str, Ratio] = {
    "nll": lambda s: (s.nats, s.tokens),
    "bits_per_byte": lambda s: (s.nats / math.log(2), s.bytes),
    "rouge_1": lambda s: (s.rouge_1, 1),
    "rouge_l": lambda s: (s.rouge_l, 1),
    "chrf": lambda s: (s.chrf, 1),
    "style": lambda s: (s.style, 1),
    "style_base": lambda s: (s.style_base, 1),
    "copied": lambda s: (s.copied, 1),
    "distinct_1": lambda s: (s.distinct_1, 1),
    "distinct_2": lambda s: (s.distinct_2, 1),
}


def by_document(scores: Sequence[TrialResult], metric: str) -> tuple[list[float], list[float]]:
    """(value, weight) of each document, in the documents' order: documents are resampled whole."""
    sums: dict[str, list[float]] = {}
    for score in sorted(scores, key=lambda score: score.document):
        above, below = METRICS[metric](score)
        total = sums.setdefault(score.document, [0.0, 0.0])
        total[0] += above
        total[1] += below
    values = [above / below if below else 0.0 for above, below in sums.values()]
    return values, [below for _, below in sums.values()]


def interval(scores: Sequence[TrialResult], metric: str) -> Interval:
    """Of the metric over these measurements, by documents."""
    values, weights = by_document(scores, metric)
    return mean_interval(values, weights)


def against(ours: Sequence[TrialResult], theirs: Sequence[TrialResult], metric: str) -> Interval:
    """Of the difference between two conditions on the same trials, paired by document."""
    values, weights = by_document(ours, metric)
    others, _ = by_document(theirs, metric)
    return difference_interval(values, others, weights)


def as_document(evaluation: Evaluation) -> dict[str, Any]:
    """The JSON of `localpers eval`: figures only, no words of the person."""
    return {
        "run": evaluation.run,
        "base": evaluation.base,
        "documents": evaluation.documents,
        "trials": len(evaluation.trials),
        "split_by": evaluation.split_by,
        "mismatched_passages": evaluation.others,
        "conditions": {name: _condition(evaluation, name) for name in evaluation.conditions},
        "questions": questions(evaluation),
        "neutral": evaluation.neutral,
        "verdict": evaluation.verdict,
        "settings": evaluation.settings,
        "seconds": evaluation.seconds,
    }


def _condition(evaluation: Evaluation, name: str) -> dict[str, Any]:
    scores = evaluation.of(name)
    found = {metric: interval(scores, metric) for metric in METRICS}
    reference = evaluation.of(evaluation.conditions[0])
    gains = {metric: against(scores, reference, metric) for metric in METRICS}
    return {
        **{metric: _round(value.value) for metric, value in found.items()},
        "ci": {metric: _bounds(value) for metric, value in found.items()},
        "against": evaluation.conditions[0],
        "difference": {metric: _round(value.value) for metric, value in gains.items()},
        "difference_ci": {metric: _bounds(value) for metric, value in gains.items()},
        "kinds": _parts(scores, lambda score: score.kind),
        "tasks": _parts(scores, lambda score: score.task),
    }


def _parts(scores: Sequence[TrialResult], part: Callable[[TrialResult], str]) -> dict[str, Any]:
    groups: dict[str, list[TrialResult]] = {}
    for score in scores:
        groups.setdefault(part(score), []).append(score)
    return {
        name: {
            "trials": len(group),
            **{metric: _round(interval(group, metric).value) for metric in METRICS},
        }
        for name, group in sorted(groups.items())
    }


def questions(evaluation: Evaluation) -> dict[str, Any]:
    """By condition: shares right, cited, both; nats per token of the true rest of the sentence.

    A question that did not fit the window under one condition is left out under all.
    """
    found: dict[str, Any] = {}
    unfit = {row.question for row in evaluation.questions if row.nll is None}
    for name in evaluation.conditions:
        rows = (row for row in evaluation.questions if row.condition == name)
        asked = [row for row in rows if row.question not in unfit]
        if asked:
            found[name] = _answers(asked)
    return found


def _answers(asked: Sequence[QuestionResult]) -> dict[str, Any]:
    right = mean_interval([float(row.right) for row in asked])
    nll = mean_interval([row.nll for row in asked if row.nll is not None])
    return {
        "asked": len(asked),
        "right": _round(right.value),
        "cited": _share(row.cited for row in asked),
        "right_and_cited": _share(row.right and row.cited for row in asked),
        "retrieved": _share(row.retrieved for row in asked),
        "nll": _round(nll.value),
        "ci": {"right": _bounds(right), "nll": _bounds(nll)},
    }


def _share(found: Any) -> float:
    values = [float(value) for value in found]
    return _round(sum(values) / max(len(values), 1))


def _bounds(found: Interval) -> list[float]:
    return [_round(found.low), _round(found.high)]


def _round(value: float) -> float:
    return round(value, DIGITS)

"""What one answer counts, and what one condition does for a person's held-out items."""

from __future__ import annotations

from localpers.assistant.forms import AnswerKind
from localpers.bench.lamp.tasks import Task
from localpers.evaluation.metrics import rouge_1, rouge_l

LOWEST, HIGHEST = 1.0, 5.0
"""Ratings."""


def scores_of(task: Task, prediction: str, gold: str) -> dict[str, float]:
    """`correct` (0 or 1), `error` (of a rating), or ROUGE by name."""
    if task.form.kind is AnswerKind.LABEL:
        return {"correct": float(prediction.strip().casefold() == gold.strip().casefold())}
    if task.form.kind is AnswerKind.RATING:
        return {"error": abs(_rating(prediction, gold) - float(gold))}
    return {"rouge_1": rouge_1(prediction, gold), "rouge_l": rouge_l(prediction, gold)}


def _rating(prediction: str, gold: str) -> float:
    """The number in a prediction; one that holds none is as wrong as the scale allows."""
    try:
        value = float(prediction)
    except ValueError:
        value = -1.0
    if LOWEST <= value <= HIGHEST:
        return value
    return LOWEST if abs(float(gold) - LOWEST) > abs(float(gold) - HIGHEST) else HIGHEST

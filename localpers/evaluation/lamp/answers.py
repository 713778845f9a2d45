"""From what a model wrote to an answer, and from answers to figures: alike for every condition."""

from __future__ import annotations

import re
from collections.abc import Sequence

from localpers.evaluation.lamp.data import Item, Question
from localpers.evaluation.lamp.tasks import Answer, Task, labels_in
from localpers.evaluation.metrics import rouge_1, rouge_l

_PREFIX = re.compile(
    r"^\W*(?:the\s+|my\s+)?(?:(?:suggested|proposed|possible|generated|new)\s+)?"
    r"(?:headline|title|subject(?:\s+line)?|tweet|tag|score|rating|answer|email|article)"
    r"(?:\s+(?:for|of)\s+(?:the|this|your)\s+\w+)?(?:\s+is)?\s*[:：]\s*",
    re.IGNORECASE,
)
_ANNOUNCING = re.compile(
    r"^\W*(?:here|sure|certainly|of course|(?:the\s+)?(?:headline|title|subject|tweet|answer))\b",
    re.IGNORECASE,
)
_LISTED = re.compile(r"^(?:\d+[.)]|[-*•])\s")
_MARKS = re.compile(r"^(?:#{1,6}\s+|[-*•]\s+|>\s+)")
_QUOTES = {'"': '"', "“": "”", "'": "'", "«": "»", "„": "“", "「": "」", "『": "』", "*": "*"}
_RATING = re.compile(r"(?<![\d.])([1-5])(?:\.0+)?(?![\d.]*\d)")
_REFERENCE = re.compile(r"(?<!\d)([12])(?!\d)")
LOWEST, HIGHEST = 1.0, 5.0


def labels_of(task: Task, question: Question, profile: Sequence[Item]) -> tuple[str, ...]:
    """The answers that a question allows: those it lists, else those that its profile holds."""
    if listed := labels_in(task, question.input):
        return listed
    return tuple(dict.fromkeys(item.wanted for item in profile)) if task.wanted else ()


def is_complete(text: str) -> bool:
    """Whether an answer of one line is there, so that nothing after it is of interest."""
    return any(line.strip() and not _ends_openly(line) for line in text.split("\n")[:-1])


def cleaned(text: str) -> str:
    """The first line that is an answer, without the quotes, marks and labels around it."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    line = lines[0] if lines else ""
    if len(lines) > 1 and _announces(line, lines[1]):
        line = _LISTED.sub("", lines[1])
    line = _without_quotes(_MARKS.sub("", line))
    return _without_quotes(_PREFIX.sub("", line, count=1).strip(" :：*")).strip(" :：*")


def _ends_openly(line: str) -> bool:
    return line.rstrip().rstrip("*").endswith((":", "："))


def _announces(line: str, following: str) -> bool:
    """Whether a line is no answer but says that one follows; a title may stand above a list."""
    if not _ends_openly(line):
        return False
    return bool(_ANNOUNCING.search(line)) or not _LISTED.match(following)


def _without_quotes(text: str) -> str:
    text = text.strip()
    while len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
        inside = text[1:-1]
        if text[0] in inside and text[0] == text[-1] and text[0] != "*":
            break
        text = inside.strip()
    # An answer that was cut, or whose end was forgotten, has one quote without its partner.
    if text[:1] in ('"', "“") and _QUOTES[text[0]] not in text[1:]:
        return text[1:].strip()
    return text


def prediction_of(task: Task, text: str, labels: Sequence[str]) -> str:
    """The answer in `text`: one of `labels`, a rating, or a line of text; what is no label or
    rating is returned as it stands and counts as wrong.
    """
    line = cleaned(text)
    if task.answer is Answer.TEXT:
        return line
    if task.answer is Answer.RATING:
        rating = _RATING.search(line)
        return rating[1] if rating else line
    if task.name == "LaMP_1":
        reference = _REFERENCE.search(line)
        return f"[{reference[1]}]" if reference else line
    return _label(line, labels) or line


def _label(line: str, labels: Sequence[str]) -> str | None:
    """The label that `line` is, else the one that it names first, the longest of several there."""
    folded = line.casefold().strip(" .\"'")
    found: list[tuple[int, int, str]] = []
    for label in labels:
        name = label.casefold()
        if folded == name:
            return label
        match = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", folded)
        if match:
            found.append((match.start(), -len(name), label))
    return min(found)[2] if found else None


def scores_of(task: Task, prediction: str, gold: str) -> dict[str, float]:
    """What one answer counts: `correct` (0 or 1), `error` (of a rating), or ROUGE by name."""
    if task.answer is Answer.LABEL:
        return {"correct": float(_same(prediction, gold))}
    if task.answer is Answer.RATING:
        return {"error": abs(_rating(prediction, gold) - float(gold))}
    return {"rouge_1": rouge_1(prediction, gold), "rouge_l": rouge_l(prediction, gold)}


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()


def _rating(prediction: str, gold: str) -> float:
    """The number in a prediction; one that holds none is as wrong as the scale allows."""
    try:
        value = float(prediction)
    except ValueError:
        value = -1.0
    if LOWEST <= value <= HIGHEST:
        return value
    return LOWEST if abs(float(gold) - LOWEST) > abs(float(gold) - HIGHEST) else HIGHEST

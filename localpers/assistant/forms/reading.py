"""The answer in what a model wrote, which may announce, quote or explain it."""

from __future__ import annotations

import re
from collections.abc import Sequence

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


def is_complete(text: str) -> bool:
    """Whether `text` holds an answer of one line, so that generation can stop."""
    return any(line.strip() and not _ends_openly(line) for line in text.split("\n")[:-1])


def first_line(text: str) -> str:
    """The first line that is an answer, without the quotes, marks and labels around it."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    line = lines[0] if lines else ""
    if len(lines) > 1 and _announces(line, lines[1]):
        line = _LISTED.sub("", lines[1])
    line = _without_quotes(_MARKS.sub("", line))
    return _without_quotes(_PREFIX.sub("", line, count=1).strip(" :：*")).strip(" :：*")


def rating_in(line: str) -> str:
    """The first number from 1 to 5, "" without one."""
    found = _RATING.search(line)
    return found[1] if found else ""


def label_in(line: str, labels: Sequence[str]) -> str:
    """The label that `line` is, else the one that it names first, the longest of several there;
    "" without one. Brackets around a label do not matter.
    """
    folded = line.casefold().strip(" .\"'")
    found: list[tuple[int, int, str]] = []
    for label in labels:
        name = label.casefold().strip("[]")
        if folded.strip("[]") == name:
            return label
        match = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", folded)
        if match:
            found.append((match.start(), -len(name), label))
    return min(found)[2] if found else ""


def _ends_openly(line: str) -> bool:
    return line.rstrip().rstrip("*").endswith((":", "："))


def _announces(line: str, following: str) -> bool:
    """Whether a line only says that an answer follows; a title may stand above a list."""
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

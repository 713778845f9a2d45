"""Time expressions in a query → spans of days: "last week", "since March 2023", 先週, "im Winter".

Relative expressions count from `today`, weeks from Monday. English, German, French, Spanish,
Italian, Portuguese, Dutch, Japanese, Chinese and Korean share one table, so that the language of a
short query need not be known. dateparser and its kind give moments where spans are meant ("last
week") and take as long to import as a whole search.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

from localpers.retrieval.dates import words
from localpers.retrieval.dates.said import Said, said_in

if TYPE_CHECKING:
    from localpers.retrieval.dates.atoms import Told

UNDATED = date(2000, 1, 1)
"""Today, where nothing has a date."""


@dataclass(frozen=True, slots=True)
class TimeExpression:
    """`query[start:end]` means the days `first` to `last`, both included.

    A `relative` one tells no date in words, so that no document need hold the words either. A
    `loose` one may be no time but what comes again ("on Monday", "in winter"): documents of it are
    preferred, and its words are looked for.
    """

    start: int
    end: int
    first: date
    last: date
    relative: bool
    loose: bool = False


def time_expressions(query: str, today: date) -> list[TimeExpression]:
    """Those of a query, in order, the longer of two that would overlap; only the readings of one
    that has several ("10/06/2023") have the same place.
    """
    said = said_in(query)
    if said is None:
        return []
    # Most queries tell no time, and need not wait for how times are put together.
    from localpers.retrieval.dates.phrases import told_by

    taken: list[Told] = []
    for told in sorted(told_by(query, said, today), key=lambda t: (t.start - t.end, t.start)):
        if all(told.end <= other.start or told.start >= other.end for other in taken):
            taken.append(told)
    return [
        TimeExpression(told.start, told.end, span.first, span.last, span.relative, told.loose)
        for told in sorted(taken, key=lambda told: told.start)
        for span in told.spans
    ]


def recent(query: str) -> list[tuple[int, int]]:
    """Where a query asks for what is new, without a time: "latest", 最近."""
    return [match.span() for match in _recent_pattern().finditer(query)]


@cache
def _recent_pattern() -> re.Pattern[str]:
    every = Said(words.RECENT | words.CJK_RECENT, digits=False, cjk=True)
    latin, cjk = every.any(words.RECENT), every.any(words.CJK_RECENT)
    return re.compile(rf"(?<!\w){latin}(?!\w)|{cjk}", re.IGNORECASE)


def day_of(moment: str) -> date | None:
    """Of an ISO 8601 date or time; None for anything else."""
    try:
        return date.fromisoformat(moment[:10])
    except ValueError:
        return None


def newest_day(moments: Iterable[str]) -> date:
    """What measurements take as today, so that they do not change from day to day: the last day
    of these, UNDATED where there is none.
    """
    return max((day for moment in moments if (day := day_of(moment))), default=UNDATED)


def closeness(day: date, expressions: Sequence[TimeExpression]) -> float:
    """1 on the days meant by any of the expressions, below 0.5 and falling outside of them."""
    return max((_closeness(day, e.first, e.last) for e in expressions), default=0.0)


def _closeness(day: date, first: date, last: date) -> float:
    if first <= day <= last:
        return 1.0
    away = (first - day).days if day < first else (day - last).days
    return float(0.5 ** (1 + away / max((last - first).days / 2, 2)))

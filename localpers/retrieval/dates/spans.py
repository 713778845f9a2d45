"""Spans of days, and what comes again every year or week: March, the 5th of March, winter, Monday.

Nothing here knows words.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

EARLIEST = date(1900, 1, 1)
"""Where a time without a beginning begins."""

LONGEST_BACK = 100
"""Years; what is said to be longer ago counts as so long ago."""

_LEAP_YEARS_APART = 8
"""At most: 1896, 1904."""

DAYS = {"day": 1, "week": 7, "month": 30.44, "quarter": 91.31, "year": 365.25}


class Span(NamedTuple):
    """The days `first` to `last`, both included."""

    first: date
    last: date
    relative: bool = False

    @property
    def is_year(self) -> bool:
        return (self.first, self.last) == year_of(self.first)

    @property
    def is_week(self) -> bool:
        return self.first.weekday() == 0 and (self.last - self.first).days == 6

    def part(self, start: int, end: int, of: int) -> Span:
        """From start/of to end/of of it; of a year, in whole months."""
        if self.is_year:
            first, last = 12 * start // of + 1, 12 * end // of
            year = self.first.year
            return Span(date(year, first, 1), month_of(year, last)[1], self.relative)
        days = (self.last - self.first).days + 1
        first, last = days * start // of, max(days * end // of, 1) - 1
        return Span(self.first + timedelta(first), self.first + timedelta(last), self.relative)

    def since(self, today: date) -> Span:
        """On to today, or to its own end, where that is later."""
        return Span(self.first, max(self.last, today), self.relative)

    def after(self, today: date) -> Span | None:
        """On to today; its first day, where all of it lies in the future."""
        if self.last == date.max:
            return None
        first = self.last + timedelta(1)
        return Span(first, max(first, today), self.relative)

    def before(self, today: date) -> Span | None:
        if self.first <= EARLIEST:
            return None
        return Span(EARLIEST, self.first - timedelta(1), self.relative)

    def until(self, today: date) -> Span | None:
        return Span(EARLIEST, self.last, self.relative) if self.last >= EARLIEST else None

    def to(self, other: Span) -> Span | None:
        """From the beginning of this to the end of the other; None where they are not in order."""
        if self.first > other.first or self.last > other.last:
            return None
        return Span(self.first, other.last, self.relative and other.relative)


class Recurring(NamedTuple):
    """`months` from `month` on or one `day` of that month, each year; or a `weekday`, each week."""

    month: int = 0
    months: int = 1
    day: int = 0
    weekday: int | None = None

    @property
    def is_weekday(self) -> bool:
        return self.weekday is not None

    def of_year(self, year: int) -> Span | None:
        """The one that begins in it."""
        try:
            if self.day:
                day = date(year, self.month, self.day)
                return Span(day, day)
            over, last = divmod(self.month + self.months - 2, 12)
            return Span(date(year, self.month, 1), month_of(year + over, last + 1)[1])
        except ValueError:
            return None

    def within(self, span: Span) -> Span | None:
        """The one of a year or, of days of the week, of a week; None in any other span."""
        if self.weekday is not None:
            if not span.is_week:
                return None
            day = span.first + timedelta(self.weekday)
            return Span(day, day, span.relative)
        found = self.of_year(span.first.year) if span.is_year else None
        return Span(found.first, found.last, span.relative) if found else None

    def begun(self, today: date) -> Span | None:
        """The latest that does not lie in the future."""
        return max((s for s in self._around(today) if s.first <= today), key=_first, default=None)

    def ended(self, today: date) -> Span | None:
        """The latest that is over."""
        return max((s for s in self._around(today) if s.last < today), key=_first, default=None)

    def following(self, day: date) -> Span | None:
        """The first that begins on the day or later."""
        return min((s for s in self._around(day) if s.first >= day), key=_first, default=None)

    def _around(self, day: date) -> Iterator[Span]:
        if self.weekday is not None:
            back = (day.weekday() - self.weekday) % 7
            for days in (back + 7, back, back - 7):
                if day.toordinal() - days <= date.max.toordinal():
                    found = day - timedelta(days)
                    yield Span(found, found, relative=True)
            return
        for year in range(day.year - _LEAP_YEARS_APART, day.year + _LEAP_YEARS_APART + 1):
            span = self.of_year(year)
            if span:
                yield span


def _first(span: Span) -> date:
    return span.first


def unit_of(today: date, unit: str, back: int) -> tuple[date, date]:
    """The day, week, weekend, month, quarter or year that lies `back` of them before today's."""
    if unit == "day":
        day = today - timedelta(min(back, 365 * LONGEST_BACK))
        return day, day
    if unit == "week":
        monday = today - timedelta(today.weekday() + 7 * min(back, 52 * LONGEST_BACK))
        return monday, monday + timedelta(min(6, (date.max - monday).days))
    if unit == "weekend":
        saturday = today - timedelta((today.weekday() - 5) % 7 + 7 * max(back - 1, 0))
        return saturday, saturday + timedelta(min(1, (date.max - saturday).days))
    if unit == "month":
        months = today.year * 12 + today.month - 1 - min(back, 12 * LONGEST_BACK)
        return month_of(months // 12, months % 12 + 1)
    if unit == "quarter":
        quarters = today.year * 4 + (today.month - 1) // 3 - min(back, 4 * LONGEST_BACK)
        year, quarter = divmod(quarters, 4)
        return date(year, 3 * quarter + 1, 1), month_of(year, 3 * quarter + 3)[1]
    return year_of(today.replace(day=1, year=today.year - min(back, LONGEST_BACK)))


def month_of(year: int, month: int) -> tuple[date, date]:
    return date(year, month, 1), date(year, month, monthrange(year, month)[1])


def year_of(day: date) -> tuple[date, date]:
    return date(day.year, 1, 1), date(day.year, 12, 31)

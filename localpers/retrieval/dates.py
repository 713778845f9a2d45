"""Time expressions in a query → spans of days: "last week", "in 2023", 先週, "il y a trois jours".

Relative expressions count from `today`, weeks from Monday. English, German, French, Spanish,
Italian, Portuguese, Dutch, Japanese, Chinese and Korean share one table, so that the language of a
short query need not be known. dateparser and its kind give moments where spans are meant ("last
week") and take as long to import as a whole search.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from localpers.retrieval import date_words as words

UNDATED = date(2000, 1, 1)
"""Today, where nothing has a date."""


@dataclass(frozen=True, slots=True)
class TimeExpression:
    """`query[start:end]` means the days `first` to `last`, both included.

    A `relative` one tells no date in words, so that no document need hold the words either.
    """

    start: int
    end: int
    first: date
    last: date
    relative: bool


def time_expressions(query: str, today: date) -> list[TimeExpression]:
    """Those of a query, in order, never overlapping; the longer of two that would."""
    if not _may_hold_any(query):
        return []
    found: list[TimeExpression] = []
    for expression in sorted(_all(query, today), key=lambda e: (e.start - e.end, e.start)):
        if all(expression.end <= other.start or expression.start >= other.end for other in found):
            found.append(expression)
    return sorted(found, key=lambda expression: expression.start)


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


def _all(query: str, today: date) -> Iterator[TimeExpression]:
    for pattern, meaning in _patterns():
        for match in pattern.finditer(query):
            span = meaning(match, today)
            if span is not None:
                first, last, relative = span
                yield TimeExpression(match.start(), match.end(), first, last, relative)


_Meaning = tuple[date, date, bool] | None


def _fixed(match: re.Match[str], today: date) -> _Meaning:
    unit, back = (words.FIXED | words.CJK_FIXED)[_key(match["fixed"])]
    return *_unit(today, unit, back), True


def _last(match: re.Match[str], today: date) -> _Meaning:
    return _of_name(match["name"], today, complete=True)


def _this(match: re.Match[str], today: date) -> _Meaning:
    return _of_name(match["name"], today, complete=False)


def _of_name(name: str, today: date, *, complete: bool) -> _Meaning:
    """The last (`complete`) or the current week, month, year, March or Monday."""
    key = _key(name)
    if key in words.UNITS:
        return *_unit(today, words.UNITS[key], int(complete)), True
    if key in words.MONTHS:
        month = words.MONTHS[key]
        past = month < today.month or (month == today.month and not complete)
        return *_month(today.year - (not past), month), True
    if key in words.WEEKDAYS:
        back = (today.weekday() - words.WEEKDAYS[key]) % 7 or 7 * complete
        day = today - timedelta(back)
        return day, day, True
    return None


def _ago(match: re.Match[str], today: date) -> _Meaning:
    """N days ago is that day; N weeks, months, years ago the one around it."""
    number = _number(match["number"])
    unit = (words.UNITS | words.CJK_UNITS).get(_key(match["unit"]))
    if unit is None or number is None:
        return None
    return *_unit(today, unit, number), True


def _past(match: re.Match[str], today: date) -> _Meaning:
    """The past N days, weeks, months or years, up to today."""
    number = _number(match["number"])
    unit = (words.UNITS | words.CJK_UNITS).get(_key(match["unit"]))
    if unit is None or number is None:
        return None
    days = {"day": 1, "week": 7, "month": 30.44, "year": 365.25}[unit]
    return today - timedelta(min(days * number, 36525)), today, True


def _numeric(match: re.Match[str], today: date) -> _Meaning:
    year, month, day = match["year"], match["month"], match["day"]
    return _absolute(int(year), int(month), int(day) if day else 0)


def _named(match: re.Match[str], today: date) -> _Meaning:
    """`March 5, 2023`, `5. März 2023`, `marzo de 2023`."""
    day = match["before"] or match["after"]
    return _absolute(int(match["year"]), words.MONTHS[_key(match["month"])], int(day or 0))


def _year(match: re.Match[str], today: date) -> _Meaning:
    year = int(match["year"])
    if not 1900 <= year <= today.year + 1:
        return None
    return date(year, 1, 1), date(year, 12, 31), False


def _cjk(match: re.Match[str], today: date) -> _Meaning:
    return _absolute(int(match["year"]), int(match["month"] or 0), int(match["day"] or 0))


def _cjk_month(match: re.Match[str], today: date) -> _Meaning:
    month = int(match["month"])
    if not 1 <= month <= 12:
        return None
    return *_month(today.year - (month > today.month), month), False


def _since(match: re.Match[str], today: date) -> _Meaning:
    year = int(match["year"])
    if not 1900 <= year <= today.year + 1:
        return None
    if _key(match["since"]) in words.BEFORE:
        return date(1900, 1, 1), date(year - 1, 12, 31), False
    return date(year, 1, 1), today, False


def _absolute(year: int, month: int, day: int) -> _Meaning:
    try:
        if day:
            return date(year, month, day), date(year, month, day), False
        if month:
            return *_month(year, month), False
        return date(year, 1, 1), date(year, 12, 31), False
    except ValueError:
        return None


def _unit(today: date, unit: str, back: int) -> tuple[date, date]:
    """The day, week, month or year that lies `back` of them before the one of today."""
    if unit == "day":
        day = today - timedelta(min(back, 36525))
        return day, day
    if unit == "week":
        monday = today - timedelta(today.weekday() + 7 * min(back, 5218))
        return monday, monday + timedelta(6)
    if unit == "weekend":
        saturday = today - timedelta((today.weekday() - 5) % 7 + 7 * (back - 1 if back else 0))
        return saturday, saturday + timedelta(1)
    if unit == "month":
        months = today.year * 12 + today.month - 1 - min(back, 1200)
        return _month(months // 12, months % 12 + 1)
    year = today.year - min(back, 100)
    return date(year, 1, 1), date(year, 12, 31)


def _month(year: int, month: int) -> tuple[date, date]:
    return date(year, month, 1), date(year, month, monthrange(year, month)[1])


def _number(text: str) -> int | None:
    key = _key(text)
    if key.isdecimal():
        return int(key[:6])
    return words.NUMBERS.get(key)


def _key(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")


def _in(match: re.Match[str], today: date) -> _Meaning:
    month = words.MONTHS[_key(match["name"])]
    return *_month(today.year - (month > today.month), month), False


def recent(query: str) -> list[tuple[int, int]]:
    """Where a query asks for what is new, without a time: "latest", 最近."""
    return [match.span() for match in _recent_pattern().finditer(query)]


def _may_hold_any(query: str) -> bool:
    """Told without the patterns, which take longer to compile than a search takes."""
    if any(character.isdecimal() or character >= _CJK for character in query):
        return True
    vocabulary = words.UNITS.keys() | words.MONTHS.keys() | words.WEEKDAYS.keys()
    fixed = {part for phrase in words.FIXED for part in phrase.split()}
    said = set(re.findall(r"[\w'’-]+", query.casefold()))
    said |= {re.sub(r"['’]s$", "", word) for word in said}
    return bool(said & (vocabulary | fixed))


_CJK = chr(0x2E80)


def _any(*groups: Iterable[str]) -> str:
    """An alternation, the longest first, blanks matching any run of them."""
    keys = sorted({key for group in groups for key in group}, key=len, reverse=True)
    return "(?:" + "|".join(re.escape(key).replace(r"\ ", r"\s+") for key in keys) + ")"


@cache
def _recent_pattern() -> re.Pattern[str]:
    latin, cjk = _any(words.RECENT), _any(words.CJK_RECENT)
    return re.compile(rf"(?<!\w){latin}(?!\w)|{cjk}", re.IGNORECASE)


@cache
def _patterns() -> list[tuple[re.Pattern[str], Callable[[re.Match[str], date], _Meaning]]]:
    units, months = _any(words.UNITS), _any(words.MONTHS)
    names = _any(words.UNITS, words.MONTHS, words.WEEKDAYS)
    near = _any(words.UNITS, words.WEEKDAYS)
    number = rf"(?P<number>\d{{1,4}}|{_any(n for n in words.NUMBERS if n < _CJK)})"
    cjk_number = r"(?P<number>\d{1,4}|[一二三四五六七八九十两兩数几幾]|한|두|세|네|다섯|여섯)"
    cjk_unit = rf"(?P<unit>{_any(words.CJK_UNITS)})"
    year = r"(?P<year>(?:19|20)\d\d)"
    of = r"(?:(?:of|de|di|del|van)\s+)?"
    latin = [
        (rf"(?P<fixed>{_any(words.FIXED)})(?:['’]s)?", _fixed),
        (rf"{_any(words.LAST_BEFORE)}\s+(?P<name>{names})(?:['’]s)?", _last),
        (rf"(?:(?:la|le|el|il|a|o)\s+)?(?P<name>{names})\s+{_any(words.LAST_AFTER)}", _last),
        (rf"{_any(words.THIS)}\s+(?P<name>{near})(?:['’]s)?", _this),
        (rf"{number}\s+(?P<unit>{units})\s+{_any(words.AGO_AFTER)}", _ago),
        (rf"{_any(words.AGO_BEFORE)}\s+{number}\s+(?P<unit>{units})", _ago),
        (rf"{_any(words.PAST_MANY)}\s+{number}\s+(?P<unit>{units})", _past),
        (rf"{number}\s+{_any(words.PAST_MANY)}\s+(?P<unit>{units})", _past),
        (rf"{year}[-/](?P<month>\d{{1,2}})(?:[-/](?P<day>\d{{1,2}}))?", _numeric),
        (rf"(?P<day>\d{{1,2}})\.\s?(?P<month>\d{{1,2}})\.\s?{year}", _numeric),
        (
            rf"(?:(?P<before>\d{{1,2}})(?:st|nd|rd|th|er|º|\.)?\s+{of})?(?P<month>{months})\.?"
            rf"(?:\s+(?P<after>\d{{1,2}})(?:st|nd|rd|th)?,?)?\s+{of}{year}",
            _named,
        ),
        (rf"{_any(words.IN)}\s+(?P<name>{months})", _in),
        (rf"(?P<since>{_any(words.SINCE, words.BEFORE)})\s+{year}", _since),
        (rf"{year}(?!\s+{_any(words.NOT_A_YEAR)})", _year),
    ]
    cjk = [
        (rf"(?P<fixed>{_any(words.CJK_FIXED)})", _fixed),
        (rf"{cjk_number}\s*{cjk_unit}\s*{_any(words.CJK_AGO)}", _ago),
        (rf"{_any(words.CJK_PAST)}\s*{cjk_number}\s*{cjk_unit}", _past),
        (
            rf"{year}\s*[年년]\s*(?:(?P<month>\d{{1,2}})\s*[月월]\s*)?"
            r"(?:(?P<day>\d{1,2})\s*[日号號일])?",
            _cjk,
        ),
        (r"(?<!\d)(?P<month>\d{1,2})\s*[月월](?!\d)", _cjk_month),
    ]
    # A digit, dot or hyphen beside it makes of a year something else: 2023.4, 1-2023.
    bounded = [(rf"(?<![\w.-]){pattern}(?![\w-]|\.\d)", meaning) for pattern, meaning in latin]
    return [(re.compile(pattern, re.IGNORECASE), meaning) for pattern, meaning in bounded + cjk]

"""What of a query tells a time by itself, or would with a word beside it: "2023", 先週, "March"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from functools import lru_cache
from typing import NamedTuple, TypeVar

from localpers.retrieval.dates import words
from localpers.retrieval.dates.said import CJK, NEVER, Said, key_of
from localpers.retrieval.dates.spans import DAYS, LONGEST_BACK, Recurring, Span, month_of, unit_of


class Told(NamedTuple):
    """`query[start:end]` means any of the spans; not `alone`, it needs a word beside it. What is
    `loose` may be no time but what comes again: "on Monday".
    """

    start: int
    end: int
    spans: tuple[Span, ...]
    alone: bool = True
    loose: bool = False


class Named(NamedTuple):
    """`query[start:end]` is what comes again every year or week, said as `kind`."""

    start: int
    end: int
    recurring: Recurring
    kind: str
    """`month`, `day`, `season`, `quarter`, `weekday`."""
    word: str

    @property
    def is_cjk(self) -> bool:
        return self.word[-1] >= CJK


_Spans = tuple[Span, ...]
_Meaning = Callable[[re.Match[str], date], _Spans]
_Naming = Callable[[re.Match[str]], Recurring | None]


def told_in(query: str, said: Said, today: date) -> Iterator[Told]:
    for pattern, meaning in _told_patterns(said):
        for match in pattern.finditer(query):
            spans = meaning(match, today)
            if spans:
                alone = meaning is not _year or 1900 <= spans[0].first.year <= today.year + 1
                yield Told(match.start(), match.end(), spans, alone)


def named_in(query: str, said: Said) -> Iterator[Named]:
    for pattern, (kind, naming) in _named_patterns(said):
        for match in pattern.finditer(query):
            recurring = naming(match)
            if recurring and recurring.begun(date(2000, 12, 31)):
                said_as = "day" if recurring.day else kind
                word = key_of(match.group())
                yield Named(match.start(), match.end(), recurring, said_as, word)


def _span(unit: str, today: date, back: int) -> _Spans:
    return (Span(*unit_of(today, unit, back), relative=True),)


def _fixed(match: re.Match[str], today: date) -> _Spans:
    unit, back = (words.FIXED | words.CJK_FIXED)[key_of(match.group())]
    return _span(unit, today, back)


def _this(match: re.Match[str], today: date) -> _Spans:
    return _span(_unit(match), today, 0)


def _last(match: re.Match[str], today: date) -> _Spans:
    return _span(_unit(match), today, 1)


def _before_last(match: re.Match[str], today: date) -> _Spans:
    return _span(_unit(match), today, 2)


def _ago(match: re.Match[str], today: date) -> _Spans:
    """N days ago is that day; N weeks, months, years ago the one around it."""
    number = _number(match)
    return _span(_unit(match), today, number) if number is not None else ()


def _past(match: re.Match[str], today: date) -> _Spans:
    """The past N days, weeks, months or years, up to today."""
    number = _number(match)
    if number is None:
        return ()
    unit = _unit(match)
    days = DAYS.get(unit, DAYS["week"]) * number
    return (Span(unit_of(today, "day", int(min(days, 365.25 * LONGEST_BACK)))[0], today, True),)


def _unit(match: re.Match[str]) -> str:
    return (words.UNITS | words.CJK_UNITS)[key_of(match["unit"])]


def _number(match: re.Match[str]) -> int | None:
    key = key_of(match["number"])
    return int(key) if key.isdecimal() else words.NUMBERS.get(key)


def _numeric(match: re.Match[str], today: date) -> _Spans:
    parts = match.groupdict()
    year, month, day = int(parts["year"]), int(parts["month"]), int(parts.get("day") or 0)
    return _absolute(year, month, day)


def _slashed(match: re.Match[str], today: date) -> _Spans:
    """Days first or months first: nobody but the writer knows."""
    one, other, year = int(match["one"]), int(match["other"]), int(match["year"])
    return tuple(dict.fromkeys(_absolute(year, other, one) + _absolute(year, one, other)))


def _absolute(year: int, month: int, day: int) -> _Spans:
    try:
        if day:
            return (Span(date(year, month, day), date(year, month, day)),)
        return (Span(*month_of(year, month)),) if 1 <= month <= 12 else ()
    except ValueError:
        return ()


def _year(match: re.Match[str], today: date) -> _Spans:
    before = match.string[: match.start()].rstrip().casefold()
    if before.endswith(words.NO_YEAR_AFTER):
        return ()
    return _cjk_year(match, today)


def _cjk_year(match: re.Match[str], today: date) -> _Spans:
    year = int(match["year"])
    return (Span(date(year, 1, 1), date(year, 12, 31)),)


def _years(match: re.Match[str], today: date) -> _Spans:
    first, last = int(match["year"]), int(match["until"])
    if not first < last <= today.year + 1:
        return ()
    return (Span(date(first, 1, 1), date(last, 12, 31)),)


def _days(match: re.Match[str], today: date) -> _Spans:
    """`March 5-10, 2024`."""
    year, month = int(match["year"]), words.MONTHS[key_of(match["month"])]
    ends = [_absolute(year, month, int(match[day])) for day in ("day", "until")]
    spans = [first.to(last) for first, last in zip(*ends, strict=False)]
    return tuple(span for span in spans if span)


def _quarter_of(match: re.Match[str], today: date) -> _Spans:
    parts = match.groupdict()
    quarter = Recurring(3 * int(parts["quarter"]) - 2, 3)
    return tuple(filter(None, [quarter.of_year(int(parts["year"]))]))


def _cjk_weekday_of(match: re.Match[str], today: date) -> _Spans:
    back = {"上上": 2, "上": 1}.get(match["week"], 0)
    (week,) = _span("week", today, back)
    day = Recurring(weekday=_CJK_WEEKDAYS[match["day"]]).within(week)
    return (day,) if day else ()


def _short_season(match: re.Match[str], today: date) -> _Spans:
    year = today.year - (match["year"] == "昨")
    found = _season(match)
    span = found.of_year(year)
    return (Span(span.first, span.last, True),) if span else ()


def _month(match: re.Match[str]) -> Recurring:
    parts = match.groupdict()
    return Recurring(words.MONTHS[key_of(match["month"])], day=int(parts.get("day") or 0))


def _season(match: re.Match[str]) -> Recurring:
    key = key_of(match["season"])
    return Recurring(3 + 3 * (words.SEASONS | words.CJK_SEASONS)[key], 3)


def _quarter(match: re.Match[str]) -> Recurring | None:
    key = key_of(match["quarter"])
    digits = re.match(r"\d", key)
    number = int(digits.group()) if digits else (words.ORDINALS | words.NUMBERS).get(key, 0)
    return Recurring(3 * number - 2, 3) if 1 <= number <= 4 else None


def _weekday(match: re.Match[str]) -> Recurring:
    return Recurring(weekday=words.WEEKDAYS[key_of(match["day"])])


_CJK_WEEKDAYS = {
    day: number
    for days in ("月火水木金土日", "一二三四五六天", "월화수목금토일")
    for number, day in enumerate(days)
}


def _cjk_weekday(match: re.Match[str]) -> Recurring:
    return Recurring(weekday=_CJK_WEEKDAYS[match["day"]])


def _cjk_month(match: re.Match[str]) -> Recurring | None:
    text = match["month"]
    month = int(text) if text.isdecimal() else _CJK_MONTHS.index(text) + 1
    return Recurring(month, day=int(match["day"] or 0)) if 1 <= month <= 12 else None


_CJK_MONTHS = ["一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"]

_YEAR = r"(?P<year>(?:19|20)\d\d)"
_DAY = r"(?P<day>\d{1,2})"
_MONTH = r"(?P<month>\d{1,2})"
# A digit, dot, slash or hyphen beside it makes of a year something else: 2023.4, 1-2023. 从 and
# から may stand beside it.
_BEFORE_YEAR = r"(?:(?<=[从從自在至到])|(?<=から)|(?<=부터\s)|(?<=mid-)|(?<![\w./-]))"
_BESIDE = "以降|以来|以來|以后|以後|以前|から|より|まで|之|の|的|到|至|起|后|前|初|末"
_AFTER_YEAR = rf"(?:(?={_BESIDE})|(?![\w-]|\.\d))"


@lru_cache(maxsize=64)
def _told_patterns(said: Said) -> list[tuple[re.Pattern[str], _Meaning]]:
    latin = _unit_patterns(said)
    compiled = _compiled((rf"(?<![\w.-]){p}(?![\w-]|\.\d)", meaning) for p, meaning in latin)
    if said.digits:
        compiled += _compiled(_digit_patterns(said))
    if said.cjk:
        compiled += _compiled(_cjk_patterns(said), _CASELESS)
    return compiled


_CASELESS = re.NOFLAG
"""Case is costly to ignore in ranges of ideographs, which have none."""

_Compiled = TypeVar("_Compiled")


def _compiled(
    patterns: Iterable[tuple[str, _Compiled]], flags: re.RegexFlag = re.IGNORECASE
) -> list[tuple[re.Pattern[str], _Compiled]]:
    return [(re.compile(p, flags), value) for p, value in patterns if NEVER not in p]


def _unit_patterns(said: Said) -> Iterator[tuple[str, _Meaning]]:
    unit = f"(?P<unit>{said.any(words.UNITS)})"
    number = rf"(?P<number>\d{{1,4}}|{said.any(n for n in words.NUMBERS if n < CJK)})"
    if NEVER in number:
        number = r"(?P<number>\d{1,4})"
    article = r"(?:(?:la|le|el|il|a|o)\s+|l['’])?"
    yield said.any(words.FIXED), _fixed
    yield rf"{said.any(words.LAST_BEFORE)}\s+{unit}", _last
    yield rf"{article}{unit}\s+{said.any(words.LAST_AFTER)}", _last
    yield rf"{said.any(words.THIS)}\s+{unit}", _this
    yield rf"{said.any(words.BEFORE_LAST)}\s+{unit}", _before_last
    yield rf"{article}{unit}\s+{said.any(words.BEFORE_LAST_AFTER)}", _before_last
    yield rf"{number}\s+{unit}\s+{said.any(words.AGO_AFTER)}", _ago
    yield rf"{said.any(words.AGO_BEFORE)}\s+{number}\s+{unit}", _ago
    yield rf"{said.any(words.PAST_MANY, words.FOR)}\s+{number}\s+{unit}", _past
    yield rf"{number}\s+{said.any(words.PAST_MANY)}\s+{unit}", _past


def _digit_patterns(said: Said) -> Iterator[tuple[str, _Meaning]]:
    not_a_year = said.any(words.NOT_A_YEAR)
    words_after = "" if not_a_year == NEVER else rf"(?!\s+{not_a_year})"
    yield (
        rf"(?<![\w.-]){_YEAR}[-/]{_MONTH}(?:[-/]{_DAY})?(?![\w-]|\.\d)",
        _numeric,
    )
    yield rf"(?<![\w.]){_DAY}\.\s?{_MONTH}\.\s?{_YEAR}(?!\w|\.\d)", _numeric
    yield (
        rf"(?<![\w./-])(?P<one>\d{{1,2}})/(?P<other>\d{{1,2}})/{_YEAR}(?![\w/]|\.\d)",
        _slashed,
    )
    yield rf"(?<![\w./-]){_MONTH}/{_YEAR}(?![\w/-]|\.\d)", _numeric
    months = rf"(?P<month>{said.any(words.MONTHS)})\.?"
    until = r"(?:st|nd|rd|th)?\s*(?:[-–—]|to)\s*(?P<until>\d{1,2})(?:st|nd|rd|th)?"
    yield rf"(?<![\w.]){months}\s+{_DAY}{until},?\s+{_YEAR}(?![\w-]|\.\d)", _days
    yield rf"{_BEFORE_YEAR}{_YEAR}{_AFTER_YEAR}{words_after}", _year
    yield rf"(?<![\w./-]){_YEAR}[-–—/](?P<until>(?:19|20)\d\d)(?![\w/-]|\.\d)", _years
    yield rf"(?<![\w.-])Q(?P<quarter>[1-4])[/-]?{_YEAR}(?![\w-]|\.\d)", _quarter_of
    yield rf"(?<![\w.-]){_YEAR}[/-]?Q(?P<quarter>[1-4])(?![\w-]|\.\d)", _quarter_of


def _cjk_patterns(said: Said) -> Iterator[tuple[str, _Meaning]]:
    unit = rf"(?P<unit>{said.any(words.CJK_UNITS)})"
    number = r"(?<!\d)(?P<number>\d{1,3}|[一二三四五六七八九十两兩数几幾]|한|두|세|네|다섯|여섯)"
    yield said.any(words.CJK_FIXED), _fixed
    yield rf"{number}\s*{unit}\s*{said.any(words.CJK_AGO)}", _ago
    yield rf"{said.any(words.CJK_PAST)}\s*{number}\s*{unit}", _past
    yield rf"(?<!\d){_YEAR}\s*[年년](?![間间])", _cjk_year
    week = "(?P<week>上上|上|这|這|本)(?:个|個)?(?:周|週|星期|礼拜|禮拜)"
    yield rf"{week}(?P<day>[一二三四五六日天])(?![个個])", _cjk_weekday_of
    if said.words & words.CJK_SEASONS.keys():
        yield r"(?P<year>[昨今])(?P<season>[春夏秋冬])(?![一-鿿])", _short_season


@lru_cache(maxsize=64)
def _named_patterns(said: Said) -> list[tuple[re.Pattern[str], tuple[str, _Naming]]]:
    latin = ((pattern, (kind, naming)) for pattern, kind, naming in _latin_names(said))
    compiled = _compiled(latin)
    if said.cjk:
        cjk = ((pattern, (kind, naming)) for pattern, kind, naming in _cjk_names(said))
        compiled += _compiled(cjk, _CASELESS)
    return compiled


def _latin_names(said: Said) -> Iterator[tuple[str, str, _Naming]]:
    months, no_month = said.any(words.MONTHS), said.any(words.NO_MONTH_BEFORE)
    verb = "" if no_month == NEVER else rf"(?:(?<!may)|(?!\s+{no_month}(?!\w)))"
    month = rf"(?P<month>{months})(?!\w)"
    yield rf"(?<![\w.]){month}\.?{verb}", "month", _month
    if said.digits:
        ordinal = r"(?:(?:st|nd|rd|th|er|º)?\s+|\.\s*)(?:(?:of|de|di|del|van)\s+)?"
        yield rf"(?<![\w.]){_DAY}{ordinal}{month}\.?", "day", _month
        yield rf"(?<![\w.]){month}\.?\s+{_DAY}(?:st|nd|rd|th)?(?![\w:]|\.\d)", "day", _month
        yield r"(?<![\w.-])Q(?P<quarter>[1-4])(?!\w|\.\d)", "quarter", _quarter
    not_season = said.any(words.NOT_A_SEASON)
    other = "" if not_season == NEVER else rf"(?!\s+{not_season}(?!\w))"
    season = said.any(words.SEASONS)
    yield rf"(?<![\w.-])(?P<season>{season})(?![\w-]){other}", "season", _season
    ordinals = said.any(words.ORDINALS)
    number = r"[1-4](?:\.|st|nd|rd|th|er|º|e)?"
    ordinals = number if ordinals == NEVER else f"{ordinals}|{number}"
    quarter = said.any(word for word in words.UNITS if words.UNITS[word] == "quarter")
    yield rf"(?<![\w.-])(?P<quarter>{ordinals})\s+{quarter}(?![\w-])", "quarter", _quarter
    date_word = r"\d" if months == NEVER else rf"\d|{months}"
    dated = rf"(?!,?\s+(?:the\s+|den\s+|dem\s+)?(?:{date_word}))"
    weekday = said.any(words.WEEKDAYS)
    yield rf"(?<![\w.-])(?P<day>{weekday})(?![\w-]){dated}", "weekday", _weekday


def _cjk_names(said: Said) -> Iterator[tuple[str, str, _Naming]]:
    numeral = "(?<![一二三四五六七八九十])(?:十[一二]?|[一二三四五六七八九])"
    month = rf"(?P<month>(?<!\d)\d{{1,2}}|{numeral})"
    day = r"(?:\s*(?P<day>\d{1,2})\s*[日号號일]|(?![\d曜]))"
    yield rf"{month}\s*[月월]{day}", "month", _cjk_month
    yield r"(?P<day>[月火水木金土日])曜日?", "weekday", _cjk_weekday
    yield r"(?P<day>[월화수목금토일])요일", "weekday", _cjk_weekday
    # 一周三次 is three times a week.
    week = r"(?<![一二三四五六七八九十两每\d])(?:星期|礼拜|禮拜|周|週)"
    yield rf"{week}(?P<day>[一二三四五六日天])", "weekday", _cjk_weekday
    if said.words & words.CJK_SEASONS.keys():
        # Another ideograph beside it makes another word of it: 秋田.
        season = "[春夏秋冬][天季]|[春夏秋冬](?![一-鿿])|봄|여름|가을|겨울"
        yield f"(?P<season>{season})", "season", _season
    quarter = r"(?:第\s*)?(?P<quarter>[1-4一二三四])\s*(?:四半期|季度|분기)"
    yield quarter, "quarter", _quarter

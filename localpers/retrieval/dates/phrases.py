"""Times that several words of a query tell together: "since last March", "Q1 to Q3 2024", 去年の夏.

Beside what tells a time, or names what comes again, stand words that say which, what part of it,
from when or until when.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import product
from typing import TypeVar

from localpers.retrieval.dates import words
from localpers.retrieval.dates.atoms import Named, Told, named_in, told_in
from localpers.retrieval.dates.neighbours import Lead, Text, beside
from localpers.retrieval.dates.said import CJK, Said, key_of
from localpers.retrieval.dates.spans import Span

_SHORTEST_WITH_PARTS = 7
"""Days; of less there is no early or late."""

_Time = TypeVar("_Time", bound=Told | Named)


def told_by(query: str, said: Said, today: date) -> list[Told]:
    """All times of a query, overlapping, also those within others."""
    text = Text(query, today, beside(said))
    named = list(named_in(query, said))
    told = list(told_in(query, said, today))
    told += _within(text, named, told)
    told += _qualified(text, named)
    told += _parts(text, named, told)
    every: list[Told | Named] = [*told, *named]
    found = [*_ranges(text, every), *_bounds(text, every), *told, *_bare(text, named)]
    return [_with_possessive(text, time) for time in found if time.alone]


def _within(text: Text, named: Sequence[Named], told: Sequence[Told]) -> Iterator[Told]:
    """`March of last year`, `Monday last week`, `last year's summer`, 2023年3月."""
    times, names = _by_start(told), _by_start(named)
    for name in named:
        of = text.beside.of.match(text.query, name.end)
        blank = _BLANK.match(text.query, name.end)
        ends = {end for gap in (of, blank) if gap for end in text.ends(gap.end())}
        for time in _at(times, ends):
            yield from _one_within(name, time, name.start, time.end)
    for time in told:
        gap = _YEAR_TO_PART.match(text.query, time.end)
        for name in names.get(gap.end(), ()) if gap else ():
            # "In 2020 may" goes on with a verb, "2020 march" is no way to say it either.
            said_so = gap is not None and gap.group().strip() != ""
            if said_so or name.is_cjk or name.kind not in ("month", "day"):
                yield from _one_within(name, time, time.start, name.end)


_BLANK = re.compile(r",?\s+")
_YEAR_TO_PART = re.compile(r"['’]s\s+|\s+(?:in|im|en|em)\s+|\s*[の的]?\s*", re.IGNORECASE)


def _one_within(name: Named, time: Told, start: int, end: int) -> Iterator[Told]:
    spans = tuple(filter(None, map(name.recurring.within, time.spans)))
    if spans:
        yield Told(start, end, spans)


def _qualified(text: Text, named: Sequence[Named]) -> Iterator[Told]:
    """`last March`, `this winter`, `in summer`, `on Monday`, `mars dernier`, 夏に."""
    leads = text.leads(text.beside.qualifiers)
    for name in named:
        for lead in leads.get(name.start, ()):
            fits = lead.fits or lead.word in words.ON
            if fits and (span := _which(text, name, lead.word)):
                loose = lead.word in _LOOSE
                yield Told(lead.start, name.end, (span,), loose=loose)
        if last := text.beside.last.match(text.query, name.end):
            yield from _told(name.start, last.end(), _last(text, name))
        if name.is_cjk and (after := text.beside.cjk_in.match(text.query, name.end)):
            yield from _told(name.start, after.end(), name.recurring.begun(text.today))


def _bare(text: Text, named: Sequence[Named]) -> Iterator[Told]:
    """3月, which is no other word as "March" is."""
    for name in named:
        if name.is_cjk and name.kind in ("month", "day"):
            yield from _told(name.start, name.end, name.recurring.begun(text.today))


def _told(start: int, end: int, span: Span | None) -> Iterator[Told]:
    if span:
        yield Told(start, end, (span,))


def _which(text: Text, name: Named, word: str) -> Span | None:
    if word in words.LAST_BEFORE or word in words.CJK_LAST:
        return _last(text, name)
    begun = name.recurring.begun(text.today)
    if word in words.THIS or word in words.CJK_THIS:
        return begun._replace(relative=True) if begun and name.word not in words.VERBS else None
    # Not "in the spring of life".
    goes_on = _OF.match(text.query, name.end) is not None
    return begun if word in _PREPOSITIONS[name.kind] and not goes_on else None


_LOOSE = words.IN | words.IN_SEASON | words.ON | words.ON_DAY | words.CJK_IN
_OF = re.compile(r"\s+of\b", re.IGNORECASE)
_PREPOSITIONS = {
    "month": words.IN,
    "day": words.IN | words.ON | words.ON_DAY | words.CJK_IN,
    "season": words.IN | words.IN_SEASON | words.CJK_IN,
    "quarter": words.IN,
    "weekday": words.ON | words.CJK_IN,
}


def _last(text: Text, name: Named) -> Span | None:
    ended = name.recurring.ended(text.today)
    return ended._replace(relative=True) if ended else None


def _parts(text: Text, named: Sequence[Named], told: Sequence[Told]) -> Iterator[Told]:
    """`early 2023`, `end of March`, 去年末."""
    leads = text.leads(text.beside.parts)
    months = (name for name in named if name.kind == "month")
    begun = (Told(m.start, m.end, spans) for m in months if (spans := _spans(text, m)))
    for time in (*told, *begun):
        if any((span.last - span.first).days + 1 < _SHORTEST_WITH_PARTS for span in time.spans):
            continue
        for lead in leads.get(time.start, ()):
            spans = tuple(span.part(*words.PARTS[lead.word]) for span in time.spans)
            yield Told(lead.start, time.end, spans, time.alone)
        if after := text.beside.cjk_parts.match(text.query, time.end):
            spans = tuple(span.part(*words.CJK_PARTS[after["word"]]) for span in time.spans)
            yield Told(time.start, after.end(), spans, time.alone)


def _bounds(text: Text, times: Sequence[Told | Named]) -> Iterator[Told]:
    """`since March`, `until last week`, 2020年以降."""
    leads = text.leads(text.beside.bounds)
    for time in times:
        spans = _spans(text, time)
        if not spans or (isinstance(time, Told) and not time.alone) or _means_more(time):
            continue
        before = leads.get(time.start, ())
        for lead in before:
            if lead.fits and (bound := _BOUNDS.get(lead.word)):
                yield from _bounded(text, spans, bound, lead.start, time.end, _comes_again(time))
        if after := text.beside.cjk_bounds.match(text.query, time.end):
            start = min((lead.start for lead in before if lead.word >= CJK), default=time.start)
            bound = words.CJK_BOUNDS[after["word"]]
            yield from _bounded(text, spans, bound, start, after.end(), _comes_again(time))


_BOUNDS = {
    **dict.fromkeys(words.SINCE, "since"),
    **dict.fromkeys(words.AFTER, "after"),
    **dict.fromkeys(words.BEFORE, "before"),
    **dict.fromkeys(words.UNTIL, "until"),
}


def _comes_again(time: Told | Named) -> bool:
    return isinstance(time, Named) and time.recurring.is_weekday


def _bounded(
    text: Text, spans: Sequence[Span], bound: str, start: int, end: int, loose: bool
) -> Iterator[Told]:
    bounded = {
        "since": Span.since,
        "after": Span.after,
        "before": Span.before,
        "until": Span.until,
    }[bound]
    found = tuple(span for each in spans if (span := bounded(each, text.today)))
    if found:
        yield Told(start, end, found, loose=loose)


def _ranges(text: Text, times: Sequence[Told | Named]) -> Iterator[Told]:
    """`between March and May 2024`, `2019 to 2021`, 3月から5月."""
    starts = _by_start(times)
    openers = text.leads(text.beside.openers)
    for one in times:
        if joint := text.beside.connectors.match(text.query, one.end):
            for other in _at(starts, text.ends(joint.end())):
                for opener in (None, *openers.get(one.start, ())):
                    yield from _range(text, opener, one, joint, other)
    for day in text.beside.days.finditer(text.query):
        for other in _at(starts, text.ends(day.end())):
            for opener in (None, *openers.get(day.start(), ())):
                yield from _range_of_days(text, opener, day, other)


def _range(
    text: Text, opener: Lead | None, one: Told | Named, joint: re.Match[str], other: Told | Named
) -> Iterator[Told]:
    closer = text.beside.closers.match(text.query, other.end)
    # "March to May" alone goes on in too many ways.
    bare = isinstance(one, Named) and isinstance(other, Named)
    opened = opener is not None or joint["cjk"] is not None
    if _joins(joint["word"] or joint["cjk"], opener, closer) and (opened or not bare):
        start = opener.start if opener else one.start
        if spans := _between(text, one, other):
            yield Told(start, closer.end() if closer else other.end, spans)


def _range_of_days(
    text: Text, opener: Lead | None, day: re.Match[str], other: Told | Named
) -> Iterator[Told]:
    """`between 5 and 10 March 2024`: a mere number takes the month of the day it goes to."""
    ends = [span for span in _spans(text, other) if span.first == span.last]
    spans = tuple(span for end in ends if (span := _from_day(int(day["day"]), end)))
    if spans and _joins(day["lead"], opener, None):
        yield Told(opener.start if opener else day.start(), other.end, spans)


def _from_day(day: int, end: Span) -> Span | None:
    if not 1 <= day <= end.first.day:
        return None
    return end._replace(first=end.first.replace(day=day))


def _joins(word: str | None, opener: Lead | None, closer: re.Match[str] | None) -> bool:
    """Whether of two times a range is made: "and" alone does not."""
    how = (words.CONNECTORS | words.CJK_CONNECTORS)[key_of(word)] if word else "to"
    opened = opener is not None and words.OPENERS[opener.word] == "between"
    closed = closer is not None and words.CJK_CLOSERS[closer["word"]] == "between"
    return how == "to" or opened or closed


def _between(text: Text, one: Told | Named, other: Told | Named) -> tuple[Span, ...]:
    """What is told without its year takes the year that the other is in."""
    if isinstance(one, Told) and isinstance(other, Told):
        # Who writes days first does so twice.
        alike = len(one.spans) == len(other.spans)
        pairs = list((zip if alike else product)(one.spans, other.spans))
    elif isinstance(one, Told) and isinstance(other, Named):
        some = ((first, other.recurring.following(first.first)) for first in one.spans)
        pairs = [(first, last) for first, last in some if last and not first.is_year]
    elif isinstance(one, Named):
        if isinstance(other, Named) and (_means_more(one) or _means_more(other)):
            return ()
        ends = _spans(text, other)
        starts = ((one.recurring.begun(last.last), last) for last in ends if not last.is_year)
        pairs = [(first, last) for first, last in starts if first]
    spans = (first.to(last) for first, last in pairs)
    return tuple(dict.fromkeys(span for span in spans if span))


def _means_more(time: Told | Named) -> bool:
    """Seasons need a year or a word like "last": "fall" and "spring" are other words too."""
    return isinstance(time, Named) and time.kind == "season"


def _spans(text: Text, time: Told | Named) -> tuple[Span, ...]:
    if isinstance(time, Told):
        return time.spans
    begun = time.recurring.begun(text.today)
    return (begun,) if begun else ()


def _by_start(times: Iterable[_Time]) -> Mapping[int, Sequence[_Time]]:
    found: dict[int, list[_Time]] = defaultdict(list)
    for time in times:
        found[time.start].append(time)
    return found


def _at(starts: Mapping[int, Sequence[_Time]], places: Iterable[int]) -> list[_Time]:
    return [time for place in places for time in starts.get(place, ())]


def _with_possessive(text: Text, time: Told) -> Told:
    """`last week's`."""
    own = _POSSESSIVE.match(text.query, time.end)
    return time._replace(end=own.end()) if own else time


_POSSESSIVE = re.compile(r"['’]s(?!\w)")

"""What a query asks for: terms of its topic, an instruction set apart, a time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from localpers.retrieval.analysis import query_compounds, query_terms
from localpers.retrieval.dates import TimeExpression, recent, time_expressions
from localpers.retrieval.instructions import Span, instruction_spans, is_of_notes, is_stop_word

MOST_WORDS = 40
"""Longer texts (an opening to go on from, say) are no requests: every word counts as it is."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Query:
    """A query understood. `content` are those of its `terms` of which a hit must hold one.

    A query `by_date_alone` names a time and no topic: a hit of that time need hold none. `ignored`
    is the instruction, `topic` the text without it and without relative times, which is what gets
    embedded; `recent` says whether what is new is asked for. `compounds` are the terms that are
    wholes, each time with their parts.
    """

    terms: Mapping[str, int]
    content: frozenset[str]
    topic: str = ""
    compounds: Sequence[tuple[str, Sequence[str]]] = ()
    ignored: tuple[str, ...] = ()
    times: tuple[TimeExpression, ...] = ()
    recent: bool = False
    by_date_alone: bool = False


def plain(text: str, languages: Sequence[str]) -> Query:
    """Every word looked for as it is."""
    terms = Counter(query_terms(text, languages))
    return Query(terms, frozenset(terms), text, query_compounds(text, languages))


def understand(text: str, languages: Sequence[str], today: date) -> Query:
    """Separate the topic of a request from its instruction and its time."""
    if len(_WORD.findall(text)) > MOST_WORDS:
        return plain(text, languages)
    instruction = instruction_spans(text)
    rest = _without(text, instruction)
    times = tuple(time_expressions(rest, today))
    recents = recent(rest)
    in_words = [(time.start, time.end) for time in times]
    told = _without(_without(rest, in_words), recents)
    # Cut out of the text, so that what joins words ("foo_bar.baz", "1,234") still does.
    telling = _cut(told, is_stop_word)
    if (times or recents) and not _WORD.search(_cut(telling, is_of_notes)):
        telling = ""
    content = frozenset(query_terms(telling, languages))
    if not content and not times and not recents:
        return plain(text, languages)
    absolute = [rest[time.start : time.end] for time in times if not time.relative]
    relative = [(time.start, time.end) for time in times if time.relative]
    unsought = [*relative, *(span for span in recents if not _overlaps(span, relative))]
    topic = _without(rest, unsought)
    return Query(
        terms=Counter(query_terms(topic, languages)),
        content=content or frozenset(query_terms(" ".join(absolute), languages)),
        topic=" ".join(topic.split()),
        compounds=query_compounds(topic, languages),
        ignored=tuple(text[start:end].strip() for start, end in instruction),
        times=times,
        recent=bool(recents),
        by_date_alone=not content,
    )


def _cut(text: str, cut: Callable[[str], bool]) -> str:
    return _WORD.sub(lambda word: "" if cut(word.group().casefold()) else word.group(), text)


def _without(text: str, spans: Sequence[Span]) -> str:
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _overlaps(span: Span, others: Sequence[Span]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in others)

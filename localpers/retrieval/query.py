"""Parsing of queries: terms of the topic, the instruction, times."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from localpers.retrieval.analysis import Forms, query_compounds, query_forms
from localpers.retrieval.dates.expressions import TimeExpression, recent, time_expressions
from localpers.retrieval.function_words import loanwords, without_function_words
from localpers.retrieval.instructions import Span, instruction_spans, is_of_notes
from localpers.retrieval.stop_words import stop_words_of

MOST_WORDS = 40
MOST_CHARACTERS = 400
"""In longer texts, which are no requests, every word counts as it is."""

FEWEST_SHOUTED = 3
"""A text of at least so many words, all in capitals, names nothing by them."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class TermGroup:
    """A passage that holds at least `min_match` of these terms is a hit."""

    terms: frozenset[str]
    min_match: int = 1


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query. A hit must match one group of its `content`.

    A query `by_date_alone` names a time and no topic: a hit of that time need match nothing.
    `ignored` is the instruction; `topic`, the text without it and without relative times, gets
    embedded; `recent` asks for what is new, up to `today`. `compounds` are (the whole, its parts).
    A term is named by the first of its `forms`; those with one form only are left out there.
    """

    terms: Mapping[str, int]
    content: Sequence[TermGroup]
    topic: str = ""
    compounds: Sequence[tuple[str, Sequence[str]]] = ()
    forms: Mapping[str, Forms] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    times: tuple[TimeExpression, ...] = ()
    recent: bool = False
    by_date_alone: bool = False
    today: date = date.max

    @property
    def content_terms(self) -> frozenset[str]:
        return frozenset().union(*(group.terms for group in self.content))


@dataclass(frozen=True, slots=True)
class QueryParser:
    """Text → Query, for notes in `languages`; relative times count from `today`."""

    languages: Sequence[str]
    today: date = date.max

    def parse_words(self, text: str) -> Query:
        """Every word as it is."""
        terms = Counter(self._terms(text))
        content = (TermGroup(frozenset(terms)),)
        return Query(terms, content, text, self._compounds(text), self._forms(text))

    def parse(self, text: str) -> Query:
        """The topic of a request, apart from its instruction and its time."""
        words = [word.casefold() for word in _WORD.findall(text)]
        if len(words) > MOST_WORDS or len(text) > MOST_CHARACTERS:
            return self.parse_words(text)
        is_stop_word = _stop_word_test(text, stop_words_of(words, self.languages))
        instruction = instruction_spans(text, is_stop_word)
        request = _blank_out(text, instruction)
        times = tuple(time_expressions(request, self.today))
        recents = recent(request)
        dated = bool(times or recents)

        certain = [time for time in times if not time.loose]
        relative = [(time.start, time.end) for time in certain if time.relative]
        uncertain = _blank_out(request, [*((t.start, t.end) for t in certain), *recents])
        # Words are cut out of the text, so that joined ones ("foo_bar.baz", "1,234") stay joined.
        topical = self._topical(_remove(uncertain, is_stop_word), dated)
        undated = _blank_out(uncertain, [(time.start, time.end) for time in times])
        by_date_alone = dated and not self._topical(_remove(undated, is_stop_word), dated).strip()

        others = (span for span in recents if not _overlaps(span, relative))
        topic = _blank_out(request, [*relative, *others])
        searched = without_function_words(topic, self.languages)
        if not _WORD.search(searched) and not dated:
            searched = topic
        terms = Counter(self._terms(searched))
        content = tuple(self._content(topical, terms.keys()))
        if not content and by_date_alone:
            dates = [request[time.start : time.end] for time in certain if not time.relative]
            content = tuple(self._date_content(_remove(date, is_stop_word) for date in dates))
        elif not content:
            return self.parse_words(text)
        return Query(
            terms=terms,
            content=content,
            topic=" ".join(topic.split()),
            compounds=self._compounds(searched),
            forms=self._forms(searched),
            ignored=tuple(text[start:end].strip() for start, end in instruction),
            times=times,
            recent=bool(recents),
            by_date_alone=by_date_alone,
            today=self.today,
        )

    def _terms(self, text: str) -> list[str]:
        return [next(iter(forms)) for forms in query_forms(text, self.languages)]

    def _forms(self, text: str) -> dict[str, Forms]:
        """Of the terms that have several."""
        found: dict[str, dict[str, frozenset[str]]] = {}
        for forms in query_forms(text, self.languages):
            known = found.setdefault(next(iter(forms)), {})
            for form, languages in forms.items():
                known[form] = known.get(form, frozenset()) | languages
        return {term: forms for term, forms in found.items() if len(forms) > 1}

    def _compounds(self, text: str) -> list[tuple[str, list[str]]]:
        return [
            (next(iter(whole)), [next(iter(part)) for part in parts])
            for whole, parts in query_compounds(text, self.languages)
        ]

    def _topical(self, text: str, dated: bool) -> str:
        """The words of a text without stop words that name a topic; none where it is `dated` and
        says only that there is a note, or that something happened.
        """
        cut = without_function_words(text, self.languages)
        if not dated:
            return cut if _WORD.search(cut) else text
        return cut if _WORD.search(_remove(cut, _is_of_notes)) else ""

    def _content(self, text: str, terms: Collection[str]) -> Iterator[TermGroup]:
        """Any of the `terms` that the text has, but more than half of a katakana word's; all where
        it has none, as cutting an unspaced run may leave other bigrams than those searched for.
        """
        for word in loanwords(text):
            bigrams = frozenset(self._terms(word))
            if bigrams <= set(terms):
                yield TermGroup(bigrams, len(bigrams) // 2 + 1)
                text = text.replace(word, " ")
        if found := frozenset(self._terms(text)):
            yield TermGroup(found.intersection(terms) or frozenset(terms))

    def _date_content(self, dates: Iterable[str]) -> Iterator[TermGroup]:
        """All parts of a date: its day alone is a number like any other."""
        for text in dates:
            wholes = {whole for whole, _ in self._compounds(text)}
            if parts := frozenset(self._terms(text)) - wholes:
                yield TermGroup(parts, len(parts))


def _stop_word_test(text: str, stop_words: frozenset[str]) -> Callable[[str], bool]:
    """Whether a word of `text` is a stop word. One in capitals is a name ("IT"), unless the whole
    text is in capitals.
    """
    cased = [word for word in _WORD.findall(text) if word.upper() != word.lower()]
    shouted = len(cased) >= FEWEST_SHOUTED and all(map(str.isupper, cased))

    def is_stop_word(word: str) -> bool:
        return word.casefold() in stop_words and (shouted or not _in_capitals(word))

    return is_stop_word


def _is_of_notes(word: str) -> bool:
    return is_of_notes(word.casefold()) and not _in_capitals(word)


def _in_capitals(word: str) -> bool:
    return len(word) > 1 and word.isupper()


def _remove(text: str, removed: Callable[[str], bool]) -> str:
    return _WORD.sub(lambda word: "" if removed(word.group()) else word.group(), text)


def _blank_out(text: str, spans: Sequence[Span]) -> str:
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _overlaps(span: Span, others: Sequence[Span]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in others)

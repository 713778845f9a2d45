"""What a query asks for: terms of its topic, an instruction set apart, a time."""

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
"""Longer texts (an opening to go on from, say) are no requests: every word counts as it is."""

FEWEST_SHOUTED = 3
"""Words in capitals, of which a text must consist, for capitals to mean nothing."""

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class TermGroup:
    """A passage that holds at least `min_match` of these terms is a hit."""

    terms: frozenset[str]
    min_match: int = 1


@dataclass(frozen=True, slots=True)
class Query:
    """A query understood. A hit must hold something of its `content`.

    A query `by_date_alone` names a time and no topic: a hit of that time need hold none. `ignored`
    is the instruction, `topic` the text without it and without relative times, which is what gets
    embedded; `recent` says whether what is new is asked for, up to `today`. `compounds` are the
    terms that are wholes, each time with their parts. A term is called by the first of its `forms`.
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
        return _every_word(text, self.languages)

    def parse(self, text: str) -> Query:
        """The topic of a request, apart from its instruction and its time."""
        return _parsed(text, self.languages, self.today)


def _every_word(text: str, languages: Sequence[str]) -> Query:
    terms = Counter(_names(text, languages))
    content = (TermGroup(frozenset(terms)),)
    compounds = _compounds(text, languages)
    return Query(terms, content, text, compounds, _forms_of(text, languages))


def _parsed(text: str, languages: Sequence[str], today: date) -> Query:
    words = [word.casefold() for word in _WORD.findall(text)]
    if len(words) > MOST_WORDS or len(text) > MOST_CHARACTERS:
        return _every_word(text, languages)
    tells_nothing = _telling_nothing(text, stop_words_of(words, languages))
    instruction = instruction_spans(text, tells_nothing)
    rest = _without(text, instruction)
    times = tuple(time_expressions(rest, today))
    recents = recent(rest)
    told = _without(rest, [*((time.start, time.end) for time in times if not time.loose), *recents])
    dated = bool(times or recents)
    # Cut out of the text, so that what joins words ("foo_bar.baz", "1,234") still does.
    telling = _telling(_cut(told, tells_nothing), languages, dated)
    untimed = _without(told, [(time.start, time.end) for time in times])
    by_date_alone = dated and not _WORD.search(
        _telling(_cut(untimed, tells_nothing), languages, dated)
    )
    certain = [time for time in times if not time.loose]
    absolute = [rest[time.start : time.end] for time in certain if not time.relative]
    relative = [(time.start, time.end) for time in certain if time.relative]
    unsought = [*relative, *(span for span in recents if not _overlaps(span, relative))]
    topic = _without(rest, unsought)
    looked_for = _or_whole(without_function_words(topic, languages), "" if dated else topic)
    terms = Counter(_names(looked_for, languages))
    content = tuple(_sought(telling, languages, terms.keys()))
    if not content and by_date_alone:
        content = tuple(_sought_dates([_cut(date, tells_nothing) for date in absolute], languages))
    elif not content:
        return _every_word(text, languages)
    return Query(
        terms=terms,
        content=content,
        topic=" ".join(topic.split()),
        compounds=_compounds(looked_for, languages),
        forms=_forms_of(looked_for, languages),
        ignored=tuple(text[start:end].strip() for start, end in instruction),
        times=times,
        recent=bool(recents),
        by_date_alone=by_date_alone,
        today=today,
    )


def _names(text: str, languages: Sequence[str]) -> list[str]:
    return [next(iter(forms)) for forms in query_forms(text, languages)]


def _forms_of(text: str, languages: Sequence[str]) -> dict[str, Forms]:
    found: dict[str, dict[str, frozenset[str]]] = {}
    for forms in query_forms(text, languages):
        known = found.setdefault(next(iter(forms)), {})
        known.update({form: known.get(form, frozenset()) | some for form, some in forms.items()})
    return {name: forms for name, forms in found.items() if len(forms) > 1}


def _compounds(text: str, languages: Sequence[str]) -> list[tuple[str, list[str]]]:
    return [
        (next(iter(whole)), [next(iter(part)) for part in parts])
        for whole, parts in query_compounds(text, languages)
    ]


def _telling_nothing(text: str, stop_words: frozenset[str]) -> Callable[[str], bool]:
    """Whether a word of `text` says nothing of a topic; what stands in capitals is a name, unless
    everything does.
    """
    spelled = [word for word in _WORD.findall(text) if word.upper() != word.lower()]
    shouted = len(spelled) >= FEWEST_SHOUTED and all(map(str.isupper, spelled))

    def tells_nothing(word: str) -> bool:
        return word.casefold() in stop_words and (shouted or not _in_capitals(word))

    return tells_nothing


def _telling(text: str, languages: Sequence[str], dated: bool) -> str:
    """What of a text without stop words tells a topic; nothing where it is `dated` and says only
    that there is a note, or that something happened.
    """
    cut = without_function_words(text, languages)
    if not dated:
        return _or_whole(cut, text)
    return cut if _WORD.search(_cut(cut, _is_of_notes)) else ""


def _is_of_notes(word: str) -> bool:
    return is_of_notes(word.casefold()) and not _in_capitals(word)


def _in_capitals(word: str) -> bool:
    return len(word) > 1 and word.isupper()


def _or_whole(cut: str, text: str) -> str:
    return cut if _WORD.search(cut) else text


def _sought(text: str, languages: Sequence[str], terms: Collection[str]) -> Iterator[TermGroup]:
    """Any of the `terms` that the text has, but of a word in katakana more than half; all of them
    where it has none: what is cut out of an unspaced run may leave other pairs than were asked for.
    """
    for word in loanwords(text):
        pairs = frozenset(_names(word, languages))
        if pairs <= set(terms):
            yield TermGroup(pairs, len(pairs) // 2 + 1)
            text = text.replace(word, " ")
    if told := frozenset(_names(text, languages)):
        yield TermGroup(told.intersection(terms) or frozenset(terms))


def _sought_dates(texts: Iterable[str], languages: Sequence[str]) -> Iterator[TermGroup]:
    """All parts of a date: its day alone is a number like any other."""
    for text in texts:
        wholes = {whole for whole, _ in _compounds(text, languages)}
        if parts := frozenset(_names(text, languages)) - wholes:
            yield TermGroup(parts, len(parts))


def _cut(text: str, cut: Callable[[str], bool]) -> str:
    return _WORD.sub(lambda word: "" if cut(word.group()) else word.group(), text)


def _without(text: str, spans: Sequence[Span]) -> str:
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _overlaps(span: Span, others: Sequence[Span]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in others)

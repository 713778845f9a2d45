"""From a plan and the passages found to an answer: quote, draft, or say that no note answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from localpers.assistant.abstention import Refusal, refuse
from localpers.assistant.answer import Answer, Source, Timings
from localpers.assistant.drafting import LIMITS, draft, title_of
from localpers.assistant.notes import Notes
from localpers.assistant.options import ResolvedOptions
from localpers.assistant.plan import ANSWER
from localpers.assistant.quoting import QUOTED_WORDS, Candidate, candidates, choose_units
from localpers.assistant.units import Unit
from localpers.datatypes import RetrievedPassage
from localpers.inference.engine import Engine

SECOND_QUOTE_WORDS = 30
"""Left over by the first note, from which on the second one is quoted too."""
SECOND_QUOTE_MARGIN = 0.08
"""How far the second note's score may lie below the first's."""


def reply(
    engine: Engine,
    form: str,
    request: str,
    passages: Sequence[RetrievedPassage],
    notes: Notes,
    options: ResolvedOptions,
    started: float,
) -> Iterator[str | Answer] | None:
    """The answer made of the notes' own words, as Assistant.stream yields it; None where a draft is
    to be written without notes.

    Raises what `notes` raises.
    """
    found = candidates(request, passages, notes, notes.lexicon)
    refusal = None
    if options.refuse or not found:
        refusal = refuse(request, found, notes.lexicon, _pieces(engine))
    if form == ANSWER:
        return _answer(request, found, refusal, options, started)
    if refusal is not None or form not in LIMITS:
        return None
    return _draft(form, request, found, notes, options, started)


def _answer(
    request: str,
    found: Sequence[Candidate],
    refusal: Refusal | None,
    options: ResolvedOptions,
    started: float,
) -> Iterator[str | Answer]:
    shown = found[: options.k]
    if refusal is not None:
        closest = title_of(found[0].document) if found else ""
        text = refusal.text(f"{closest} [1]" if closest else "")
        yield text
        yield _finished(text, shown, (), started, answered=False)
        return
    quotes = _quotes(shown)
    text = "\n\n".join(_quoted(number, candidate, units) for number, candidate, units in quotes)
    yield text
    yield _finished(text, shown, [number for number, _, _ in quotes], started)


def _quotes(shown: Sequence[Candidate]) -> list[tuple[int, Candidate, list[Unit]]]:
    """(number, note, its units): the best note, and the second where there is room and reason."""
    first = choose_units(shown[0])
    quotes = [(1, shown[0], first)]
    left = QUOTED_WORDS - sum(unit.words for unit in first)
    if len(shown) > 1 and shown[1].units and left >= SECOND_QUOTE_WORDS:
        second = choose_units(shown[1], left)
        fits = sum(unit.words for unit in second) <= left
        if fits and shown[0].score - shown[1].score <= SECOND_QUOTE_MARGIN:
            quotes.append((2, shown[1], second))
    return quotes


def _quoted(number: int, candidate: Candidate, units: Sequence[Unit]) -> str:
    document = candidate.document
    date = f", {document.date[:10]}" if document.date else ""
    body = "\n\n".join(unit.text for unit in units)
    return f"{title_of(document)}{date} [{number}]:\n\n{body}"


def _draft(
    form: str,
    request: str,
    found: Sequence[Candidate],
    notes: Notes,
    options: ResolvedOptions,
    started: float,
) -> Iterator[str | Answer]:
    made = draft(form, request, found, notes)
    cited = [n for n, one in enumerate(found, 1) if one in made.used]
    yield made.text
    yield _finished(made.text, found[: max(options.k, len(made.used))], cited, started)


def _finished(
    text: str,
    shown: Sequence[Candidate],
    cited: Sequence[int],
    started: float,
    *,
    answered: bool = True,
) -> Answer:
    seconds = time.perf_counter() - started
    return Answer(
        text=text,
        sources=tuple(
            Source(number, candidate.passage, cited=number in cited)
            for number, candidate in enumerate(shown, 1)
        ),
        answered=answered,
        found=len(shown),
        timings=Timings(first_token=seconds, total=seconds),
    )


def _pieces(engine: Engine) -> Callable[[str], int]:
    def count(word: str) -> int:
        encode = engine.tokenizer.encode
        return min(len(encode(f" {word}")), len(encode(f" {word.lower()}")))

    return count

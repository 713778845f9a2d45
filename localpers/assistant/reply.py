"""One turn: quote what answers, draft from the notes, or say that no note answers.

What the model writes itself comes after the quote, or in place of the extractive draft, and only as
far as the notes support it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from localpers.assistant.abstention import Refusal, refuse
from localpers.assistant.answer import Answer, Source, Timings
from localpers.assistant.conversation import Conversation
from localpers.assistant.drafting import LIMITS, Draft, draft, title_of
from localpers.assistant.generation import generate
from localpers.assistant.notes import Notes
from localpers.assistant.options import ResolvedOptions
from localpers.assistant.plan import ANSWER
from localpers.assistant.quoting import QUOTED_WORDS, Candidate, candidates, choose_units
from localpers.assistant.units import Unit, count_words
from localpers.assistant.writing import keeps_form, supported, written
from localpers.datatypes import Message, RetrievedPassage
from localpers.inference.engine import Engine

SHARED_WORDS = (66, 40)
"""Of two notes that are quoted."""
LONG_REQUEST = 60
"""Words from which on a request brings its own text, and is no question to the notes."""
MOST_WRITTEN_TOKENS = 160
"""Of the model's own words after a quote."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A request with everything that answering it needs. `subject` is what it is about (Plan);
    `started` is its time.perf_counter().
    """

    engine: Engine
    conversation: Conversation
    messages: Sequence[Message]
    passages: Sequence[RetrievedPassage]
    notes: Notes
    options: ResolvedOptions
    form: str
    subject: str
    started: float

    @property
    def request(self) -> str:
        return self.messages[-1].content

    def generate(
        self, passages: Sequence[RetrievedPassage], options: ResolvedOptions | None = None
    ) -> Iterator[str | Answer]:
        return generate(
            self.engine,
            self.conversation,
            self.messages,
            passages,
            self.notes.lexicon,
            options or self.options,
            self.started,
        )

    def pieces(self, word: str) -> int:
        """How many tokens a word has, whichever case is shorter."""
        encode = self.engine.tokenizer.encode
        return min(len(encode(f" {word}")), len(encode(f" {word.lower()}")))


def reply(turn: Turn) -> Iterator[str | Answer]:
    """Text as it is ready, and last the Answer. Raises what retrieval and generation raise."""
    options = turn.options
    brings_text = turn.form == ANSWER and count_words(turn.request) > LONG_REQUEST
    if not options.quote or not options.k or brings_text:
        yield from turn.generate(turn.passages[: options.k])
        return
    found = candidates(turn.subject, turn.passages, turn.notes, turn.notes.lexicon)
    refusal = None
    if options.refuse or not found:
        refusal = refuse(turn.subject, found, turn.notes.lexicon, turn.pieces)
    if turn.form == ANSWER and refusal is not None:
        yield from _refused(turn, found, refusal)
    elif turn.form == ANSWER:
        yield from _answered(turn, found)
    elif refusal is not None or turn.form not in LIMITS:
        yield from _without_notes(turn, refusal)
    else:
        yield from _drafted(turn, found)


def _refused(turn: Turn, found: Sequence[Candidate], refusal: Refusal) -> Iterator[str | Answer]:
    closest = f"{title_of(found[0].document)} [1]" if found else ""
    text = refusal.text(closest)
    yield text
    yield _finished(turn, text, found, (), answered=False)


def _answered(turn: Turn, found: Sequence[Candidate]) -> Iterator[str | Answer]:
    quotes = _quotes(found[: turn.options.k])
    text = "\n\n".join(_quoted(number, candidate, units) for number, candidate, units in quotes)
    yield text
    first = time.perf_counter() - turn.started
    if turn.options.write:
        own = " ".join(_own_words(turn, [candidate for _, candidate, _ in quotes]))
        if own:
            yield f"\n\n{own}"
            text = f"{text}\n\n{own}"
    yield _finished(turn, text, found, [number for number, _, _ in quotes], first=first)


def _own_words(turn: Turn, quoted: Sequence[Candidate]) -> Iterator[str]:
    """Sentences of the model's about the quoted notes that these support, each with its number."""
    limited = replace(turn.options, max_tokens=min(turn.options.max_tokens, MOST_WRITTEN_TOKENS))
    text = written(turn.generate([one.passage for one in quoted], limited))
    sources = [turn.request, *(f"{c.document.title}\n{c.document.text}" for c in quoted)]
    return supported(text, sources, turn.notes.lexicon)


def _quotes(shown: Sequence[Candidate]) -> list[tuple[int, Candidate, list[Unit]]]:
    """(number, note, its units): the best note alone, or two where both may answer."""
    close = [one for one in shown if one.units]
    shares = SHARED_WORDS if len(close) > 1 else (QUOTED_WORDS,)
    return [
        (number, candidate, choose_units(candidate, words))
        for number, (candidate, words) in enumerate(zip(close, shares, strict=False), 1)
    ]


def _quoted(number: int, candidate: Candidate, units: Sequence[Unit]) -> str:
    document = candidate.document
    date = f", {document.date[:10]}" if document.date else ""
    body = "\n\n".join(unit.text for unit in units)
    return f"{title_of(document)}{date} [{number}]:\n\n{body}"


def _drafted(turn: Turn, found: Sequence[Candidate]) -> Iterator[str | Answer]:
    made = draft(turn.form, turn.subject, found, turn.notes)
    text = (_written_draft(turn, made) if turn.options.write else None) or made.text
    yield text
    cited = [number for number, one in enumerate(found, 1) if one in made.used]
    yield _finished(turn, text, found, cited, most=max(turn.options.k, len(made.used)))


def _written_draft(turn: Turn, made: Draft) -> str | None:
    """The model's own draft where it keeps the form and every sentence is supported."""
    text = written(turn.generate([one.passage for one in made.used])).strip()
    sources = [turn.request, *(f"{c.document.title}\n{c.document.text}" for c in made.used)]
    if not keeps_form(turn.form, text):
        return None
    whole = " ".join(text.split())
    kept = " ".join(supported(whole, sources, turn.notes.lexicon))
    return text if len(kept) >= len(whole) - 1 else None


def _without_notes(turn: Turn, refusal: Refusal | None) -> Iterator[str | Answer]:
    notice = f"{refusal.text('')} This was written without notes." if refusal else ""
    for event in turn.generate(()):
        yield event if isinstance(event, str) else replace(event, notice=notice)


def _finished(
    turn: Turn,
    text: str,
    found: Sequence[Candidate],
    cited: Sequence[int],
    *,
    answered: bool = True,
    first: float | None = None,
    most: int | None = None,
) -> Answer:
    shown = found[: turn.options.k if most is None else most]
    total = time.perf_counter() - turn.started
    return Answer(
        text=text,
        sources=tuple(
            Source(number, candidate.passage, cited=number in cited)
            for number, candidate in enumerate(shown, 1)
        ),
        answered=answered,
        found=len(shown),
        timings=Timings(first_token=total if first is None else first, total=total),
    )

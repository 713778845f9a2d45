"""Quoting: which note answers a question, and which of its own words.

A small base cannot be trusted to restate a command; it can be trusted to find one. So answers begin
with the note's words, verbatim, at most QUOTED_WORDS of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from localpers.assistant.attribution import Lexicon
from localpers.assistant.notes import Notes
from localpers.assistant.units import Unit, units_of
from localpers.datatypes import RetrievedPassage, StoredDocument

QUOTED_WORDS = 100
"""At a glance, with the note's title: answers of 120 words at most were measured."""
NOTES_READ = 4
"""Notes whose units are compared."""
UNITS_READ = 12
"""Units of a note that are embedded, the best by words and the first: time for the first words."""
RANK_WEIGHT = 0.2
"""What the logarithm of a note's rank counts beside its best unit's cosine."""
LEXICAL_WEIGHT = 0.1
"""What the share of the query's idf in a unit counts beside its cosine."""


@dataclass(frozen=True, slots=True)
class ScoredUnit:
    """`cosine` to the question, or what words alone say in its place; `coverage` is the share of
    the question's idf that the unit holds.
    """

    unit: Unit
    cosine: float
    coverage: float

    @property
    def score(self) -> float:
        return self.cosine + LEXICAL_WEIGHT * self.coverage


@dataclass(frozen=True, slots=True)
class Candidate:
    """A note that may answer: its passage among the sources, its units best first, its score."""

    passage: RetrievedPassage
    document: StoredDocument
    units: tuple[ScoredUnit, ...]
    score: float

    @property
    def best(self) -> ScoredUnit:
        return self.units[0]


def candidates(
    question: str, passages: Sequence[RetrievedPassage], notes: Notes, lexicon: Lexicon | None
) -> list[Candidate]:
    """The notes of `passages`, each once, the likeliest to answer first."""
    first = {passage.document: passage for passage in reversed(passages)}
    order = list(dict.fromkeys(passage.document for passage in passages))
    documents = notes.documents(order)
    terms = frozenset(lexicon.terms(question)) if lexicon else frozenset()
    read = {
        id: _shortlist(documents[id], first[id], terms, lexicon)
        for id in order[:NOTES_READ]
        if id in documents
    }
    scored = _scored(question, read, notes)
    found = [
        Candidate(
            passage=first[id],
            document=documents[id],
            units=tuple(sorted(units, key=lambda one: -one.score)),
            score=max(one.score for one in units) - RANK_WEIGHT * math.log(rank),
        )
        for rank, (id, units) in enumerate(scored.items(), 1)
        if units
    ]
    return sorted(found, key=lambda candidate: -candidate.score)


def _shortlist(
    document: StoredDocument,
    passage: RetrievedPassage,
    terms: frozenset[str],
    lexicon: Lexicon | None,
) -> list[tuple[Unit, float]]:
    """(unit, coverage) of the units worth embedding: those of the passage found, then by words."""
    total = lexicon.idf(terms) if lexicon and terms else 0.0

    def coverage(unit: Unit) -> float:
        if lexicon is None or not total:
            return 0.0
        return lexicon.idf(terms & set(lexicon.terms(f"{unit.heading} {unit.text}"))) / total

    every = [(unit, coverage(unit)) for unit in units_of(document)]
    if len(every) <= UNITS_READ:
        return every

    def worth(entry: tuple[Unit, float]) -> tuple[bool, float]:
        unit, covered = entry
        found = unit.start < passage.end and passage.start < unit.end
        return found, covered - 0.01 * unit.position

    return sorted(every, key=worth, reverse=True)[:UNITS_READ]


def _scored(
    question: str, read: Mapping[int, Sequence[tuple[Unit, float]]], notes: Notes
) -> dict[int, list[ScoredUnit]]:
    flat = [entry for entries in read.values() for entry in entries]
    texts = [f"{unit.heading}\n{unit.text}" if unit.heading else unit.text for unit, _ in flat]
    cosines = notes.similarities(question, texts) if flat else []
    if cosines is None:
        cosines = [coverage for _, coverage in flat]
    found = iter(cosines)
    return {
        id: [ScoredUnit(unit, float(next(found)), covered) for unit, covered in entries]
        for id, entries in read.items()
    }


def choose_units(candidate: Candidate, most_words: int = QUOTED_WORDS) -> list[Unit]:
    """The note's best units within `most_words`, in reading order; a longer one is cut."""
    chosen: list[Unit] = []
    left = most_words
    for scored in candidate.units:
        if scored.unit.words <= left:
            chosen.append(scored.unit)
            left -= scored.unit.words
        elif not chosen:
            return [scored.unit]
    return sorted(chosen, key=lambda unit: unit.start)

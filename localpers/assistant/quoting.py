"""Quoting: which note answers a question, and which of its own words.

A small base cannot be trusted to restate a command; it can be trusted to find one. So answers begin
with the note's words, verbatim, at most QUOTED_WORDS of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from localpers.assistant.attribution import Lexicon
from localpers.assistant.notes import Notes
from localpers.assistant.similarity import Closeness
from localpers.assistant.units import Unit, count_words, first_words, units_of
from localpers.datatypes import RetrievedPassage, StoredDocument

QUOTED_WORDS = 105
"""At a glance, with the note's title: 120 words of an answer are read."""
NOTES_COMPARED = 5
"""Notes that are compared by their closest passage."""
NOTES_READ = 2
"""Notes whose units are embedded, at most."""
CLOSE_SCORES = 0.15
"""How far the second note's score may lie below the first's for its units to be read."""
MOST_UNITS = 12
"""Of a note, embedded: those in its closest passages, without vectors the first ones."""
RANK_WEIGHT = 0.2
"""What the logarithm of a note's rank counts beside its closest passage's cosine."""
CODE_BONUS, OPENING_PENALTY = 0.15, 0.05
"""Added to the cosine of a unit with code, taken from a note's first unit: what is closest to a
question tends to state the problem, and openings and prose do that more often than code.
"""


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
        code = CODE_BONUS if self.unit.has_code else 0.0
        return self.cosine + code - (OPENING_PENALTY if self.unit.position == 0 else 0.0)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A note that may answer. `units`, best first, are there of the NOTES_READ best notes alone;
    `score` is the cosine of its closest passage less a share of its rank.
    """

    passage: RetrievedPassage
    document: StoredDocument
    units: tuple[ScoredUnit, ...]
    score: float
    vectors: bool = True
    """Whether its units were compared by their vectors, or by words alone."""

    @property
    def support(self) -> tuple[float, float]:
        """(cosine, coverage) of the unit closest to the question, 0 to 1."""
        cosine = max((one.cosine for one in self.units), default=0.0)
        return cosine, max((one.coverage for one in self.units), default=0.0)


def candidates(
    question: str, passages: Sequence[RetrievedPassage], notes: Notes, lexicon: Lexicon | None
) -> list[Candidate]:
    """The notes of `passages`, each once, the likeliest to answer first."""
    first = {passage.document: passage for passage in reversed(passages)}
    documents = notes.documents(first)
    order = [id for id in dict.fromkeys(p.document for p in passages) if id in documents]
    compared = order[:NOTES_COMPARED]
    known = notes.closeness(question, compared)
    closeness = known or {}
    closest = {
        id: max((cosine for _, cosine in closeness.get(id, ())), default=0.0) for id in compared
    }
    scores = {id: closest[id] - RANK_WEIGHT * math.log(rank) for rank, id in enumerate(compared, 1)}
    best = sorted(compared, key=lambda id: -scores[id])
    read = [id for id in best[:NOTES_READ] if scores[best[0]] - scores[id] <= CLOSE_SCORES]
    worth = {id: _closest_units(documents[id], closeness.get(id, ())) for id in read}
    units = _scored_units(question, worth, notes, lexicon)
    found = [
        Candidate(first[id], documents[id], units.get(id, ()), scores[id], known is not None)
        for id in best
    ]
    return [one for one in found if one.units or one.document.id not in units]


def _closest_units(document: StoredDocument, closeness: Closeness) -> list[Unit]:
    """The units worth embedding."""
    every = units_of(document)
    if len(every) <= MOST_UNITS or not closeness:
        return every[:MOST_UNITS]

    def cosine(unit: Unit) -> float:
        inside = (c for (start, end), c in closeness if unit.start < end and start < unit.end)
        return max(inside, default=0.0)

    return sorted(every, key=cosine, reverse=True)[:MOST_UNITS]


def _scored_units(
    question: str, worth: Mapping[int, Sequence[Unit]], notes: Notes, lexicon: Lexicon | None
) -> dict[int, tuple[ScoredUnit, ...]]:
    """document → its units, best first."""
    terms = lexicon.topic_terms(question) if lexicon else frozenset()
    total = lexicon.idf(terms) if lexicon and terms else 0.0

    def coverage(unit: Unit) -> float:
        if lexicon is None or not total:
            return 0.0
        return lexicon.idf(terms & set(lexicon.terms(f"{unit.heading} {unit.text}"))) / total

    every = [unit for units in worth.values() for unit in units]
    covered = [coverage(unit) for unit in every]
    cosines = notes.similarities(question, [unit.text for unit in every]) if every else ()
    found: dict[int, list[ScoredUnit]] = {id: [] for id in worth}
    for one in map(ScoredUnit, every, covered if cosines is None else cosines, covered):
        found[one.unit.document].append(one)
    return {id: tuple(sorted(units, key=lambda u: -u.score)) for id, units in found.items()}


def choose_units(candidate: Candidate, most_words: int = QUOTED_WORDS) -> list[Unit]:
    """The note's best units within `most_words`, in reading order; where none fits, the beginning
    of the best one.
    """
    chosen: list[Unit] = []
    left = most_words
    for scored in candidate.units:
        if scored.unit.words <= left:
            chosen.append(scored.unit)
            left -= scored.unit.words
    if not chosen:
        return [_beginning(candidate.units[0].unit, most_words)]
    return sorted(chosen, key=lambda unit: unit.start)


def _beginning(unit: Unit, most_words: int) -> Unit:
    """The unit's first lines within `most_words`, or its first words where one line is longer."""
    lines: list[str] = []
    for line in unit.text.splitlines():
        if sum(count_words(one) for one in (*lines, line)) > most_words:
            break
        lines.append(line)
    text = "\n".join(lines) or first_words(unit.text, most_words)
    if text.count("```") % 2:
        text += "\n```"
    return replace(unit, text=text)

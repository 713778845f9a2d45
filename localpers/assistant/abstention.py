"""Abstention: when the notes that were found do not answer the question."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from localpers.assistant.attribution import Lexicon
from localpers.assistant.quoting import Candidate

LEAST_SUPPORT = 0.34
"""Of the best unit's cosine and coverage together (`support`)."""
LEAST_SUPPORT_BY_WORDS = 0.15
"""Where there are no vectors: people ask in other words than the note's."""
COVERAGE_WEIGHT = 0.25
MOST_MISSING = 3
"""Words that a refusal names."""
RARE_PIECES = 3
"""Tokens of a word that make it a rare name: a tokenizer keeps common words whole."""
UNUSUAL_PIECES = 2
"""Likewise for a word that no note at all holds, where support is below DOUBTFUL_SUPPORT."""
DOUBTFUL_SUPPORT = 0.55
_WORD = re.compile(r"[^\W\d_][\w'’+#.-]*[^\W_]")
_ASKS = (
    (
        re.compile(
            r"\bhow much (?:money|did (?:i|we|it) (?:pay|cost))|\bwhat did (?:i|we) pay\b"
            r"|\b(?:price|cost|salary|fee)\b[^.]*\?|\bwas (?:kostet|hat .* gekostet)\b",
            re.IGNORECASE,
        ),
        re.compile(r"[$€£¥]\s?\d|\d\s?(?:[$€£¥]|dollars?|euros?|pounds?|cents?|USD|EUR|GBP)\b",
                   re.IGNORECASE),
    ),
    (
        re.compile(r"\bhow much (?:memory|ram|space|disk|storage)\b|\bhow many (?:gigs|[kmgt]b|"
                   r"(?:mega|giga|kilo)?bytes)\b", re.IGNORECASE),
        re.compile(r"\d\s?(?:[KMGT]i?B|bytes?|gigs?|megs?)\b|\bsize\b", re.IGNORECASE),
    ),
    (
        re.compile(r"^(?:on )?(?:when|what (?:day|date)|which (?:day|date|year))\b", re.IGNORECASE),
        re.compile(r"\b(?:19|20)\d\d\b|\b\d{1,2}(?:st|nd|rd|th)\b"),
    ),
)  # fmt: skip
"""(what a question asks for, what a note that answers it shows)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing answers; `missing` are words of the question that no note found holds."""

    missing: tuple[str, ...] = ()

    def text(self, closest: str) -> str:
        """One line for the user, naming the closest note."""
        if self.missing:
            what = f"Your notes don't mention {' or '.join(self.missing)}."
        else:
            what = "Your notes don't seem to answer this."
        return f"{what} Closest: {closest}." if closest else what


def refuse(
    question: str,
    found: Sequence[Candidate],
    lexicon: Lexicon | None,
    pieces: Callable[[str], int],
) -> Refusal | None:
    """Why the notes found do not answer, None where they may. `pieces` counts a word's tokens."""
    if not found:
        return Refusal(_topic_words(question, lexicon)[:MOST_MISSING])
    missing = _rare_missing(question, found, lexicon, pieces)
    if missing:
        return Refusal(missing)
    least = LEAST_SUPPORT if found[0].vectors else LEAST_SUPPORT_BY_WORDS
    if max(map(support, found)) < least:
        return Refusal()
    for asked, shown in _ASKS:
        if asked.search(question) and not any(
            shown.search(f"{one.document.date[:10]} {one.document.text}") for one in found[:1]
        ):
            return Refusal()
    return None


def _topic_words(question: str, lexicon: Lexicon | None) -> tuple[str, ...]:
    """The question's words that name its topic: where nothing is found, no note holds them."""
    if lexicon is None:
        return ()
    topic = lexicon.topic_terms(question)
    words = dict.fromkeys(_WORD.findall(question))
    return tuple(word for word in words if topic.intersection(lexicon.terms(word)))


def support(candidate: Candidate) -> float:
    """How well a note's best unit fits the question, about 0 to 1."""
    cosine, coverage = candidate.support
    return cosine + COVERAGE_WEIGHT * coverage


def _rare_missing(
    question: str,
    found: Sequence[Candidate],
    lexicon: Lexicon | None,
    pieces: Callable[[str], int],
) -> tuple[str, ...]:
    """Rare names of the question that none of the notes found holds."""
    if lexicon is None:
        return ()
    held: set[str] = set()
    for candidate in found:
        document = candidate.document
        held.update(lexicon.terms(f"{document.title}\n{document.text}"))
    topic = lexicon.topic_terms(question)
    doubtful = max(map(support, found)) < DOUBTFUL_SUPPORT
    missing = []
    for word in dict.fromkeys(_WORD.findall(question)):
        terms = lexicon.terms(word)
        if not (word.isalpha() and word.isascii()) or not topic.intersection(terms):
            continue
        if held.intersection(terms):
            continue
        nowhere = lexicon.idf(terms[:1]) >= lexicon.rarest
        if pieces(word) >= RARE_PIECES or (doubtful and nowhere and pieces(word) >= UNUSUAL_PIECES):
            missing.append(word)
    return tuple(missing)

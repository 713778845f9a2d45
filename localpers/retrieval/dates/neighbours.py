"""What stands beside the times in a query: "since", "last", "between", "early", 以降.

Words before a time are leads, found all at once; those after it are looked for where it ends.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from localpers.retrieval.dates import words
from localpers.retrieval.dates.said import CJK, NEVER, Said, key_of

_HANGUL = chr(0xAC00)
_NEXT_WORD = re.compile(r"[\w-]*")


class Beside(NamedTuple):
    """Patterns of the words that a query has: four of leads, the days that are mere numbers, what
    may come between a lead and its time, and what comes after a time.
    """

    qualifiers: re.Pattern[str]
    parts: re.Pattern[str]
    bounds: re.Pattern[str]
    openers: re.Pattern[str]
    days: re.Pattern[str]
    article: re.Pattern[str]
    of: re.Pattern[str]
    cjk_parts: re.Pattern[str]
    cjk_bounds: re.Pattern[str]
    last: re.Pattern[str]
    cjk_in: re.Pattern[str]
    connectors: re.Pattern[str]
    closers: re.Pattern[str]


class Lead(NamedTuple):
    """A word, what follows it, and where it begins."""

    start: int
    word: str
    following: str

    @property
    def fits(self) -> bool:
        """Whether it means what it does in the language of the word that follows."""
        if self.word == "da":
            return self.following in words.ITALIAN
        return self.following not in words.NOT_BEFORE.get(self.word, ())


class Text(NamedTuple):
    """A query, and what is beside the times in it."""

    query: str
    today: date
    beside: Beside

    def ends(self, at: int) -> tuple[int, ...]:
        """Where what a word governs may begin that ends there: an article may come between."""
        article = self.beside.article.match(self.query, at)
        return (at, article.end()) if article else (at,)

    def leads(self, pattern: re.Pattern[str]) -> Mapping[int, Sequence[Lead]]:
        """By where what they govern begins."""
        found: dict[int, list[Lead]] = defaultdict(list)
        for match in pattern.finditer(self.query):
            word, next_word = match["lead"], _NEXT_WORD.match(self.query, match.end())
            following = next_word.group() if next_word else ""
            lead = Lead(match.start(), key_of(word or ""), key_of(following))
            for end in self.ends(match.end()):
                found[end].append(lead)
        return found


@lru_cache(maxsize=64)
def beside(said: Said) -> Beside:
    qualifiers = (words.LAST_BEFORE, words.THIS, words.IN, words.IN_SEASON, words.ON, words.ON_DAY)
    cjk_qualifiers = (words.CJK_LAST, words.CJK_THIS, words.CJK_IN)
    bounds = (words.SINCE, words.AFTER, words.BEFORE, words.UNTIL, words.CJK_SINCE_BEFORE)
    connector = said.any(_latin(words.CONNECTORS))
    return Beside(
        qualifiers=_lead(said, *qualifiers, *cjk_qualifiers),
        parts=_lead(said, words.PARTS),
        bounds=_lead(said, *bounds),
        openers=_lead(said, words.OPENERS),
        days=_compile(
            r"(?<![\w./:-])(?P<day>\d{1,2})(?:st|nd|rd|th|er|º|\.)?"
            rf"(?:\s+(?P<lead>{connector})\s+|\s*[-–—]\s*)"
        ),
        article=_compile(rf"{said.any(words.ARTICLES)}(?:\s+|(?<=['’]))"),
        of=_compile(rf",?\s+(?P<of>{said.any(words.OF)}(?:\s+|(?<=['’])))?"),
        cjk_parts=_follower(said, words.CJK_PARTS),
        cjk_bounds=_follower(said, words.CJK_BOUNDS),
        last=_compile(rf"\s+{said.any(words.LAST_AFTER)}(?!\w)"),
        cjk_in=_follower(said, words.CJK_IN_AFTER),
        connectors=_compile(
            rf"\s+(?P<word>{connector})\s+|\s*[-–—~〜～]\s*"
            rf"|\s*(?P<cjk>{said.any(words.CJK_CONNECTORS)})\s*"
        ),
        closers=_follower(said, words.CJK_CLOSERS),
    )


def _latin(group: Iterable[str]) -> list[str]:
    return [word for word in group if word[-1] < CJK]


def _lead(said: Said, *groups: Iterable[str]) -> re.Pattern[str]:
    every = {word for group in groups for word in group}
    latin = _latin(every)
    return _compile(
        rf"(?P<lead>(?<!\w){said.any(latin)}(?=\s|(?<=['’-]))|{said.any(every.difference(latin))})"
        r"\s*"
    )


def _follower(said: Said, group: Iterable[str]) -> re.Pattern[str]:
    """Each not where it begins another word."""
    ends = sorted(said.words.intersection(group), key=lambda word: (-len(word), word))
    return _compile(rf"\s*(?P<word>{'|'.join(map(_whole, ends)) or NEVER})")


def _whole(word: str) -> str:
    if word in words.CJK_NOT_BEFORE:
        return f"{word}(?![{words.CJK_NOT_BEFORE[word]}])"
    if len(word) == 1 and word >= _HANGUL:
        return rf"{word}(?=(?:에|까지|부터)?(?!\w))"
    return word


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)

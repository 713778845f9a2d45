"""Which words of time expressions a query says.

Patterns are compiled of those only: all of them would take longer than a search does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from localpers.retrieval.dates import words

CJK = chr(0x2E80)
"""Where the scripts begin that are written without blanks."""

NEVER = "(?!)"
"""A pattern that matches nothing."""


class Said(NamedTuple):
    """Which words of the tables are in a query, and whether it has digits and such scripts."""

    words: frozenset[str]
    digits: bool
    cjk: bool

    def any(self, *groups: Iterable[str]) -> str:
        """An alternation of those said, the longest first; one that matches nothing if none is."""
        said = {word for group in groups for word in group if word in self.words}
        keys = sorted(said, key=lambda word: (-len(word), word))
        escaped = (re.escape(key).replace(r"\ ", r"\s+").replace("'", "['’]") for key in keys)
        return f"(?:{'|'.join(escaped)})" if keys else NEVER


def said_in(query: str) -> Said | None:
    """None where no time can be told."""
    digits = any(character.isdecimal() for character in query)
    cjk = any(character >= CJK for character in query)
    text = key_of(query)
    if not digits and not _says_any(text, cjk):
        return None
    return Said(frozenset(word for word in _vocabulary() if word in text), digits, cjk)


def _says_any(text: str, cjk: bool) -> bool:
    if cjk and any(word in text for word in _starters() if word[-1] >= CJK):
        return True
    said = set(re.findall(r"[\w'-]+", text))
    said |= {part for word in said for part in re.split(r"['-]", word)}
    return not said.isdisjoint(_starters())


@cache
def _starters() -> frozenset[str]:
    """Words of which at least one is in whatever tells a time without digits."""
    names = words.UNITS.keys() | words.MONTHS.keys() | words.WEEKDAYS.keys() | words.SEASONS.keys()
    cjk = words.CJK_FIXED.keys() | words.CJK_UNITS.keys() | words.CJK_SEASONS.keys()
    fixed = {phrase.split()[-1] for phrase in words.FIXED}
    return frozenset(names | cjk | fixed | set("月월曜") | {"周", "週", "요일", "星期", "礼拜"})


@cache
def _vocabulary() -> frozenset[str]:
    groups = (value for name, value in vars(words).items() if name.isupper())
    return frozenset(
        word for group in groups if isinstance(group, dict | frozenset) for word in group
    )


def key_of(text: str) -> str:
    """As the tables have it. To patterns that ignore case ı and İ are i, to `casefold` not."""
    folded = text.casefold().replace("’", "'").replace("ı", "i").replace("i\u0307", "i")
    return " ".join(folded.split()).rstrip(".")

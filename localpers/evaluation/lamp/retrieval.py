"""Which items of a profile stand in a prompt: by BM25, by time, or as controls.

Profiles are small, so that rank_bm25's own class ranks them, over the terms of localpers' index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from random import Random
from typing import Any

from localpers.corpus.language import detect_language
from localpers.datatypes import Block, BlockKind
from localpers.errors import LocalpersError
from localpers.evaluation.lamp.data import Item, Question, User
from localpers.retrieval.analysis import analyse, query_terms

SAMPLE_ITEMS = 8
"""Items by which a profile's language is told."""
SOURCES = ("auto", "bm25", "recency", "random", "mismatched", "paper")
"""What can be retrieved here: `auto` and `paper` are BM25 in two forms of the prompt."""


class ProfileIndex:
    """The items of one profile, ranked for queries. BM25Plus as rank_bm25 has it (k1 1.5, b 0.75,
    delta 1; Lv & Zhai, 2011).
    """

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items

    @cached_property
    def _language(self) -> str:
        sample = "\n".join(item.text[:200] for item in self._items[:SAMPLE_ITEMS])
        return detect_language(sample, [Block(BlockKind.PARAGRAPH, 0, len(sample))])

    @cached_property
    def _bm25(self) -> Any:
        """None where no item holds a term, which the class cannot bear."""
        from rank_bm25 import BM25Plus

        terms = [analyse(item.text, self._language) for item in self._items]
        return BM25Plus(terms) if any(terms) else None

    def ranked(self, query: str) -> list[int]:
        """All items by number, best first; of equals, the later first."""
        newest = range(len(self._items) - 1, -1, -1)
        if not self._items or self._bm25 is None:
            return list(newest)
        scores = self._bm25.get_scores(query_terms(query, [self._language]))
        return sorted(newest, key=lambda number: -float(scores[number]))


class Retrieval:
    """What stands in the prompts of one user; `other` lends the mismatched items."""

    def __init__(self, user: User, other: User | None, seed: int) -> None:
        self._user = user
        self._other = other
        self._seed = seed
        self._own = ProfileIndex(user.profile)
        self._others = ProfileIndex(other.profile if other else ())

    def for_question(self, source: str, question: Question, k: int) -> tuple[Item, ...]:
        """The k items for a question, best first; `source` is one of SOURCES, "" for none."""
        profile = self._user.profile
        if not source:
            return ()
        if source == "recency":
            return tuple(reversed(profile[-k:]))
        if source == "random":
            chance = Random(f"{self._seed}:{self._user.id}:{question.id}")
            return tuple(chance.sample(profile, min(k, len(profile))))
        if source == "mismatched":
            assert self._other is not None
            ranked = self._others.ranked(question.query)
            return tuple(self._other.profile[number] for number in ranked[:k])
        return tuple(profile[number] for number in self._own.ranked(question.query)[:k])

    def neighbours(self, number: int, query: str) -> Iterator[int]:
        """The items that may stand before item `number` in training, best for `query` first: no
        text twice, and nothing later where the profile has dates.
        """
        profile = self._user.profile
        item = profile[number]
        seen = {item.given}
        for other in self._own.ranked(query):
            if profile[other].given not in seen and (
                not self._user.has_dates or profile[other].date < item.date
            ):
                seen.add(profile[other].given)
                yield other


def stranger(users: Sequence[User], user: User, seed: int) -> User:
    """Somebody else with a profile, the same one each time. Raises LocalpersError for nobody."""
    others = [
        other
        for other in users
        if other.id != user.id
        and other.profile
        and not (user.person and other.person == user.person)
    ]
    if not others:
        raise LocalpersError(
            "Mismatched items need a second user with a profile: leave that condition away."
        )
    return Random(f"{seed}:{user.id}").choice(others)

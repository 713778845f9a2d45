"""Which items of a profile stand in a prompt: by BM25, by time, or as controls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from random import Random
from typing import Any

from localpers.bench.lamp.data import Question
from localpers.corpus.language import detect_language
from localpers.datatypes import Block, BlockKind, Pair
from localpers.retrieval.analysis import analyse, query_terms

SAMPLE_ITEMS = 8
"""By which a profile's language is detected."""
SOURCES = ("auto", "bm25", "recency", "random", "mismatched", "paper")
"""`auto`, `bm25` and `paper` all rank by BM25."""


class PairIndex:
    """Ranks pairs for queries by BM25Plus as rank_bm25 has it (k1 1.5, b 0.75, delta 1; Lv & Zhai,
    CIKM 2011), over the terms of localpers' index: profiles are small. Dated pairs are in order of
    time.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._pairs = pairs
        self.dated = bool(pairs) and all(pair.date for pair in pairs)

    @cached_property
    def _language(self) -> str:
        sample = "\n".join(pair.text[:200] for pair in self._pairs[:SAMPLE_ITEMS])
        return detect_language(sample, [Block(BlockKind.PARAGRAPH, 0, len(sample))])

    @cached_property
    def _bm25(self) -> Any:
        """None where no pair holds a term, which the class cannot bear."""
        from rank_bm25 import BM25Plus

        terms = [analyse(pair.text, self._language) for pair in self._pairs]
        return BM25Plus(terms) if any(terms) else None

    def ranked(self, query: str) -> list[int]:
        """All pairs by number, best first; of equals, the later first."""
        newest = range(len(self._pairs) - 1, -1, -1)
        if not self._pairs or self._bm25 is None:
            return list(newest)
        scores = self._bm25.get_scores(query_terms(query, [self._language]))
        return sorted(newest, key=lambda number: -float(scores[number]))

    def neighbours(self, number: int, query: str) -> Iterator[int]:
        """The pairs that may stand before pair `number` in training, best for `query` first: none
        of the same text, and where pairs are dated none that is later.
        """
        pair = self._pairs[number]
        seen = {pair.given}
        for other in self.ranked(query):
            earlier = not self.dated or self._pairs[other].date < pair.date
            if self._pairs[other].given not in seen and earlier:
                seen.add(self._pairs[other].given)
                yield other


class Retrieval:
    """Examples for one user's questions, from `pairs`; `others` lend the mismatched ones."""

    def __init__(self, user: str, pairs: Sequence[Pair], others: Sequence[Pair], seed: int) -> None:
        self._user = user
        self._pairs = pairs
        self._others = others
        self._seed = seed
        self.index = PairIndex(pairs)
        self._other_index = PairIndex(others)

    def examples(self, source: str, question: Question, k: int) -> tuple[Pair, ...]:
        """The k pairs for a question, best first; `source` is one of SOURCES, "" for none."""
        if not source:
            return ()
        if source == "recency":
            return tuple(reversed(self._pairs[-k:]))
        if source == "random":
            random = Random(f"{self._seed}:{self._user}:{question.id}")
            return tuple(random.sample(self._pairs, min(k, len(self._pairs))))
        if source == "mismatched":
            ranked = self._other_index.ranked(question.query)
            return tuple(self._others[number] for number in ranked[:k])
        return tuple(self._pairs[number] for number in self.index.ranked(question.query)[:k])

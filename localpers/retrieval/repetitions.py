"""A list of hits without repetitions: no copies, and not all of it from one document."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from localpers.retrieval.analysis import analyse
from localpers.retrieval.hits import Hit

MOST_PER_DOCUMENT = 1
"""Passages of one document among the hits, as long as other documents have any."""
SAME = 0.9
"""Share of terms from which on passages of different documents are one text (Jaccard)."""
LIKE = 0.5
"""Share of their sketches' bits that two such texts have in common at least."""
SKETCH_BITS = 2048
_WORD = re.compile(r"\w+")


def deduplicate(batches: Iterable[Iterable[Hit]], k: int) -> list[Hit]:
    """The first k that are no copies, other documents before second passages of one. Another batch
    is taken only where copies have left too few.
    """
    taken: Counter[int] = Counter()
    crowd: list[Hit] = []
    chosen = _Chosen()
    for batch in batches:
        for hit in batch:
            if len(chosen.hits) >= k:
                break
            if taken[hit.passage.document] >= MOST_PER_DOCUMENT:
                crowd.append(hit)
            elif chosen.take(hit):
                taken[hit.passage.document] += 1
        if len(chosen.hits) + len(crowd) >= k or not chosen.copies:
            break
    for hit in crowd:
        if len(chosen.hits) >= k:
            break
        chosen.take(hit)
    hits = sorted(chosen.hits, key=lambda hit: (-hit.score, hit.passage.id))[: max(k, 0)]
    return [
        replace(hit, reason=replace(hit.reason, copies=tuple(chosen.copies[hit.passage.id])))
        for hit in hits
    ]


class _Chosen:
    """Hits of which none is a copy of another, and the paths of the copies by passage id."""

    def __init__(self) -> None:
        self.hits: list[Hit] = []
        self.copies: dict[int, list[str]] = defaultdict(list)
        self._words: list[_Words] = []

    def take(self, hit: Hit) -> bool:
        """Add a hit, or note whose copy it is; returns whether it was added."""
        words = _Words.of(hit)
        for kept, held in zip(self.hits, self._words, strict=True):
            if hit.passage.document != kept.passage.document and words.repeat(held):
                self.copies[kept.passage.id].append(hit.passage.path)
                return False
        self.hits.append(hit)
        self._words.append(words)
        return True


@dataclass(frozen=True)
class _Words:
    """What a hit says: the query's terms that it holds, and its text."""

    sought: frozenset[str]
    text: str

    @classmethod
    def of(cls, hit: Hit) -> _Words:
        sought = frozenset(term.term for term in hit.reason.terms if term.part == "text")
        return cls(sought, hit.passage.text)

    def repeat(self, other: _Words) -> bool:
        """Whether they are nearly the same, and hold nothing of the query that `other` lacks."""
        if not self.sought <= other.sought:
            return False
        shared, either = self.sketch & other.sketch, self.sketch | other.sketch
        if shared.bit_count() < LIKE * either.bit_count():
            return False
        common = len(self.terms & other.terms)
        return common >= SAME * (len(self.terms) + len(other.terms) - common)

    @cached_property
    def terms(self) -> frozenset[str]:
        return frozenset(analyse(self.text))

    @cached_property
    def sketch(self) -> int:
        """Its bits say which runs of three letters there are, by hash: much cheaper to see than
        terms (Broder, On the Resemblance and Containment of Documents, 1997).
        """
        letters = " ".join(_WORD.findall(self.text.casefold()))
        codes = np.frombuffer(letters.encode("utf-32-le"), "<u4")
        runs = codes[:-2] * np.uint32(961) + codes[1:-1] * np.uint32(31) + codes[2:]
        sketch = np.zeros(SKETCH_BITS, np.bool_)
        sketch[runs % SKETCH_BITS] = True
        return int.from_bytes(np.packbits(sketch).tobytes(), "big")

"""Style and memory: does a text sound like the person, and does it merely repeat what was learned?

Style is compared by character n-grams, which tell authors apart in many languages (Stamatatos,
A Survey of Modern Authorship Attribution Methods, 2009).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from localpers.evaluation.metrics import tokens

NGRAM = 4
"""Characters: long enough for endings and short words, short enough to say little of the topic."""
_BETWEEN = -1


class StyleProfile:
    """The character n-grams of texts by their group, so that a text can be compared with all
    groups but its own: of the same document the topic would tell, not the style.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._parts = {group: _ngrams(text) for group, text in texts.items()}
        self._whole: Counter[str] = Counter()
        for part in self._parts.values():
            self._whole.update(part)

    def similarity(self, text: str, without: str | None = None) -> float:
        """Cosine of the n-gram frequencies' square roots, 0 to 1, leaving one group out.

        0 where there is nothing to compare. Only values against the same profile are comparable:
        a larger profile is more similar to everything.
        """
        nothing: Counter[str] = Counter()
        own = nothing if without is None else self._parts.get(without, nothing)
        grams = _ngrams(text)
        total = self._whole.total() - own.total()
        if not grams or not total:
            return 0.0
        # Roots: else a handful of frequent n-grams decides (the Hellinger affinity of the two).
        common = sum(
            math.sqrt(count * (self._whole[gram] - own[gram])) for gram, count in grams.items()
        )
        return common / math.sqrt(grams.total() * total)


def _ngrams(text: str) -> Counter[str]:
    flat = " ".join(text.split())
    return Counter(flat[at : at + NGRAM] for at in range(len(flat) - NGRAM + 1))


class CopyIndex:
    """Finds the longest run of words that a text shares with any of the learned texts.

    An array of word numbers with the places of each word: exact for runs of every length.
    """

    def __init__(self, learned: Iterable[str]) -> None:
        self._numbers: dict[str, int] = {}
        flat: list[int] = [_BETWEEN]
        for text in learned:
            words = tokens(text)
            flat += [self._numbers.setdefault(word, len(self._numbers)) for word in words]
            flat.append(_BETWEEN)
        self._words: npt.NDArray[np.int32] = np.asarray(flat, np.int32)
        order = np.argsort(self._words, kind="stable")
        bounds = np.searchsorted(self._words[order], np.arange(len(self._numbers) + 1))
        self._places, self._bounds = order, bounds

    def longest(self, text: str) -> int:
        """The number of words of the longest copied run, across punctuation and case."""
        words = [self._numbers.get(word, _BETWEEN) for word in tokens(text)]
        best = 0
        for start in range(len(words)):
            if len(words) - start <= best:
                break
            best = max(best, self._run(words[start:]))
        return best

    def _run(self, words: Sequence[int]) -> int:
        if words[0] == _BETWEEN:
            return 0
        places = self._places[self._bounds[words[0]] : self._bounds[words[0] + 1]]
        length = 1
        for word in words[1:]:
            # The array ends with _BETWEEN, so that place + length stays inside of it.
            places = (
                places[self._words[places + length] == word] if word != _BETWEEN else places[:0]
            )
            if not len(places):
                break
            length += 1
        return length


def by_document(texts: Iterable[tuple[str, str]]) -> dict[str, str]:
    """document → its texts, one after the other."""
    found: dict[str, list[str]] = defaultdict(list)
    for document, text in texts:
        found[document].append(text)
    return {document: "\n".join(parts) for document, parts in found.items()}


def distinct(text: str, n: int) -> float:
    """Different word n-grams per word n-gram of a text (Li et al., 2016); 1 for a shorter one."""
    words = tokens(text)
    grams = list(zip(*(words[at:] for at in range(n)), strict=False))
    return len(set(grams)) / len(grams) if grams else 1.0

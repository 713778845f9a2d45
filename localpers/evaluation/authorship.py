"""Authorship verification: does a text read like the person rather than like somebody else?

A naive Bayes classifier over character n-grams, which identify authors across topics and languages
(Stamatatos, A Survey of Modern Authorship Attribution Methods, 2009; Peng et al., Language
Independent Authorship Attribution using Character Level Language Models, EACL 2003).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from random import Random

NGRAM = 4
SMOOTHING = 0.5
"""Added to every count."""
ACCEPTED_OWN = 0.9
"""Share of the person's own texts, unseen by the counts, that are accepted."""
FEWEST_TEXTS = 4
"""Of either side; fewer tell nothing."""
SPAN = 400
"""Characters of a calibration text: about as long as what is verified."""


class AuthorshipVerifier:
    """Accepts texts that score as the person's own do; built from their texts and others'."""

    def __init__(self, own: Sequence[str], others: Sequence[str]) -> None:
        """Raises ValueError for fewer than FEWEST_TEXTS texts of either side."""
        if min(len(own), len(others)) < FEWEST_TEXTS:
            raise ValueError("too few texts to verify authorship")
        order = sorted(own)
        Random(0).shuffle(order)
        learned, unseen = order[::2], order[1::2]
        self._own, self._others = _counts(learned), _counts(others)
        self._kinds = len(self._own | self._others)
        scores = sorted(self.score(text[:SPAN]) for text in unseen)
        self._threshold = scores[int((1 - ACCEPTED_OWN) * len(scores))]

    def score(self, text: str) -> float:
        """Mean log-odds of the text's n-grams, in nats; above 0 the person is likelier."""
        grams = _grams(text)
        if not grams:
            return -math.inf
        return sum(map(self._log_odds, grams)) / len(grams)

    def accepts(self, text: str) -> bool:
        return self.score(text) >= self._threshold

    def _log_odds(self, gram: str) -> float:
        return self._log_p(self._own, gram) - self._log_p(self._others, gram)

    def _log_p(self, counts: Counter[str], gram: str) -> float:
        total = counts.total() + SMOOTHING * self._kinds
        return math.log((counts[gram] + SMOOTHING) / total)


def _counts(texts: Sequence[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(_grams(text))
    return counts


def _grams(text: str) -> list[str]:
    flat = " ".join(text.split())
    return [flat[at : at + NGRAM] for at in range(len(flat) - NGRAM + 1)]

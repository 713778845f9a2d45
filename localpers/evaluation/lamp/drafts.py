"""Several drafts of one answer, and the one that is kept.

Which reading of a question writes best differs from one question to the next, and no likelihood
tells. What does: that the others say the same (minimum Bayes risk; Bickel & Doksum, 1977, for texts
Kumar & Byrne, 2004), that the words stand in the text which is asked about, most of all where that
begins, and that the length is what the person's own answers have.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from localpers.evaluation.metrics import rouge_1, tokens

OPENING = 40
"""Words at the beginning of a text, where writers say what it is about."""
SUPPORT = 0.5
"""What the share of a draft's words that stand in the text counts beside agreement, a fraction,
too; the share that stands in the opening counts as much again."""
DEVIATION = 0.5
"""What the logarithm of its length over the usual one is taken off."""


def best_draft(drafts: Sequence[str], text: str, usual: float) -> int:
    """The place of the draft to keep, the first of equals; `usual` is the length in words that the
    person's own answers have, 0 where nobody knows.
    """
    known = tokens(text)
    values = [_value(draft, drafts, known, usual) for draft in drafts]
    return values.index(max(values))


def _value(draft: str, drafts: Sequence[str], text: Sequence[str], usual: float) -> float:
    words = tokens(draft)
    if not words:
        return -math.inf
    agreement = sum(rouge_1(draft, other) for other in drafts) / len(drafts)
    support = _share(words, set(text)) + _share(words, set(text[:OPENING]))
    deviation = abs(math.log(len(words) / usual)) if usual else 0.0
    return agreement + SUPPORT * support - DEVIATION * deviation


def _share(words: Sequence[str], known: Collection[str]) -> float:
    return sum(word in known for word in words) / len(words)

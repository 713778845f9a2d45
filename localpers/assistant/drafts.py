"""Several drafts of one answer: who writes each, and which is kept.

Examples show how the person writes and are easily copied whole; the request alone holds what is to
be said; the base would repeat the text's first sentence. So a tuned model writes with the examples
and without, against its base (DExperts, Liu et al., 2021, https://arxiv.org/abs/2105.03023).

Which of them writes best differs from one text to the next, and no likelihood tells. What does:
that the other drafts say the same (minimum Bayes risk; Kumar & Byrne, NAACL 2004), that the words
stand in the text that is asked about, most of all where it begins, and that the length is that of
the person's own answers.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Sequence

from localpers.inference.ensemble import EnsembleMember

DRAFTS = 3
CONTRAST = 0.5
"""Weight of the base against the tuned model."""
OPENING = 40
"""Words at the beginning of a text, where writers say what it is about."""
SUPPORT = 0.5
"""Weight of the share of a draft's words that stand in the text, and of the share that stands in
its opening, beside agreement."""
DEVIATION = 0.5
"""Weight of |ln(length / usual length)|."""
_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f"
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")

Tokens = tuple[int, ...]


def ensembles(
    with_examples: Tokens, alone: Tokens, without_text: Tokens, contrast: float
) -> tuple[tuple[EnsembleMember, ...], ...]:
    """The members that write each of a tuned model's DRAFTS, the most useful first.

    In one draft the base speaks against them having read the text, in another half of it has not:
    what it would write about anything says nothing of this text. The last is the tuned model's from
    the request alone.
    """
    half = (1 + contrast) / 2
    tuned = (EnsembleMember(with_examples, True, half), EnsembleMember(alone, True, half))
    return (
        (
            *tuned,
            EnsembleMember(alone, False, -contrast / 2),
            EnsembleMember(without_text, False, -contrast / 2),
        ),
        (*tuned, EnsembleMember(alone, False, -contrast)),
        (EnsembleMember(alone, True, 1.0),),
    )


def best_draft(drafts: Sequence[str], text: str, usual_words: float) -> int:
    """The index of the draft to keep, the first of equals. `usual_words` is the mean length of the
    person's own answers, 0 where unknown.
    """
    known = words(text)
    values = [_value(draft, drafts, known, usual_words) for draft in drafts]
    return values.index(max(values))


def words(text: str) -> list[str]:
    """The words of a text in lower case; Chinese, Japanese and Korean by character."""
    return _WORD.findall(text.lower())


def unigram_f1(one: Sequence[str], other: Sequence[str]) -> float:
    """ROUGE-1 F1 (Lin, 2004) of two lists of words."""
    shared = (Counter(one) & Counter(other)).total()
    return 2 * shared / (len(one) + len(other)) if shared else 0.0


def _value(draft: str, drafts: Sequence[str], text: Sequence[str], usual_words: float) -> float:
    own = words(draft)
    if not own:
        return -math.inf
    agreement = sum(unigram_f1(own, words(other)) for other in drafts) / len(drafts)
    support = _share(own, set(text)) + _share(own, set(text[:OPENING]))
    deviation = abs(math.log(len(own) / usual_words)) if usual_words else 0.0
    return agreement + SUPPORT * support - DEVIATION * deviation


def _share(own: Sequence[str], known: Collection[str]) -> float:
    return sum(word in known for word in own) / len(own)

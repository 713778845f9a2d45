"""The person's texts in the base's words: what an adapter for paraphrasing learns from (instruction
backtranslation; Li et al., 2023, https://arxiv.org/abs/2308.06259).

The protocol's own examples of LaMP_7 let a text be completed. Who learned that continues a text
that is to be paraphrased.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from localpers.assistant.assistant import Assistant
from localpers.assistant.drafts import unigram_f1, words
from localpers.assistant.forms import Form
from localpers.assistant.options import AnswerOptions
from localpers.datatypes import Pair
from localpers.weights.tokenizer import Tokenizer

SHARE = 0.25
"""Of a user's budget, that paraphrasing may take."""
MOST = 100
"""Texts; more of them teach little more."""
TEMPERATURE = 0.8
"""Greedily, a small model repeats what it is to paraphrase."""
TRIES = 2
LEAST_OVERLAP = 0.25
"""ROUGE-1 with the text below which something else is said."""
LONGER, SHORTER = 1.6, 0.5
"""Times its words."""


def paraphrased(
    base: Assistant,
    tokenizer: Tokenizer,
    instruction: str,
    texts: Sequence[Pair],
    seconds: float,
    seed: int,
) -> tuple[Pair, ...]:
    """Pairs of a paraphrase (given) and the person's text (wanted), of the latest texts, as many as
    `seconds` suffice for. Texts that the base has no other words for are left out.
    """
    deadline = time.monotonic() + seconds
    found: list[Pair] = []
    for number, item in reversed(list(enumerate(texts))):
        if time.monotonic() > deadline or len(found) == MOST:
            break
        longest = round(LONGER * len(tokenizer.encode(item.given))) + 8
        form = Form("paraphrase", instruction, longest=longest)
        for seed_of_try in range(seed + TRIES * number, seed + TRIES * (number + 1)):
            options = AnswerOptions(
                form=form,
                examples=(),
                adapter=False,
                max_tokens=longest,
                temperature=TEMPERATURE,
                seed=seed_of_try,
            )
            other = base.answer(item.given, options).text
            if _paraphrases(other, item.given):
                found.append(Pair(other, item.given, item.date))
                break
    return tuple(reversed(found))


def _paraphrases(other: str, text: str) -> bool:
    ours, theirs = words(text), words(other)
    if ours == theirs or not SHORTER * len(ours) <= len(theirs) <= LONGER * len(ours):
        return False
    return unigram_f1(ours, theirs) >= LEAST_OVERLAP

"""The person's texts in other words, by the base: what a request to put a text differently is
asked about, and so what an adapter for it learns from (instruction backtranslation; Li et al.,
2023, https://arxiv.org/abs/2308.06259).

The protocol's own examples of LaMP_7 let a text be completed. Who learned that goes on with a text
that is to be paraphrased, instead of writing it anew.
"""

from __future__ import annotations

import time
from dataclasses import replace

from localpers.datatypes import Message
from localpers.evaluation.lamp.answers import cleaned, is_complete
from localpers.evaluation.lamp.data import Item, User
from localpers.evaluation.lamp.settings import Settings
from localpers.evaluation.lamp.tasks import Task
from localpers.evaluation.metrics import rouge_1, tokens
from localpers.inference.engine import Engine

SHARE = 0.25
"""Of a user's budget, that putting texts differently may take."""
MOST = 100
"""Texts; more of them teach little more."""
TEMPERATURE = 0.8
"""Greedily, a small model repeats what it is to put differently."""
TRIES = 2
SAID_ENOUGH = 0.25
"""ROUGE-1 with the text below which something else is said."""
LONGER, SHORTER = 1.6, 0.5
"""Times its words."""


def restated(
    engine: Engine, instruction: str, user: User | None, seconds: float, seed: int
) -> User | None:
    """The user with a profile of pairs: of each text in other words (given) the text itself
    (wanted), the latest ones, as many as `seconds` suffice for. What cannot be put differently is
    left out.
    """
    if user is None:
        return None
    deadline = time.monotonic() + seconds
    found: list[Item] = []
    for number, item in reversed(list(enumerate(user.profile))):
        if time.monotonic() > deadline or len(found) == MOST:
            break
        if other := _in_other_words(engine, instruction, item.given, seed + TRIES * number):
            found.append(replace(item, given=other, wanted=item.given))
    return replace(user, profile=tuple(reversed(found)))


def in_pairs(settings: Settings) -> Task:
    """The task for such a profile."""
    return replace(
        settings.task, wanted=("text",), listed="", request=settings.instruction, restates=False
    )


def _in_other_words(engine: Engine, instruction: str, text: str, seed: int) -> str:
    ids = engine.tokenizer.prompt_ids((Message("user", instruction + text),))
    longest = round(LONGER * len(engine.tokenizer.encode(text))) + 8
    if len(ids) + longest > engine.n_ctx:
        return ""
    for chance in range(TRIES):
        written = ""
        for piece in engine.generate(ids, longest, TEMPERATURE, seed + chance):
            written += piece.text
            if is_complete(written):
                break
        if _says_the_same(other := cleaned(written), text):
            return other
    return ""


def _says_the_same(other: str, text: str) -> bool:
    """And in other words."""
    ours, theirs = tokens(text), tokens(other)
    if ours == theirs or not SHORTER * len(ours) <= len(theirs) <= LONGER * len(ours):
        return False
    return rouge_1(other, text) >= SAID_ENOUGH

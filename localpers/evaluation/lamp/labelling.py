"""Answers that are one of a few, told by likelihood.

Asked for "[1]" or "[2]", or for one tag of fifteen, a small model writes about the question
instead. What it knows shows in what it finds likely, so that every condition is asked that way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from localpers.datatypes import Message
from localpers.inference.engine import Engine

REFERENCE = 'Write the title of a paper that the author of "{title}" refers to.'
"""Asks for one of the titles between which LaMP_1 lets choose."""
ANYTHING = "..."
"""In the place of the title, where nothing is known of the author."""


def ask_for_reference(title: str) -> str:
    return REFERENCE.format(title=title)


def likeliest(
    engine: Engine, prompt: Sequence[Message], labels: Sequence[str], adapted: bool
) -> str:
    """The label that `engine` finds likeliest as the whole answer to `prompt`."""
    return max(labels, key=lambda label: _log_p(engine, prompt, label, adapted))


def preferences(
    engine: Engine,
    prompt: Sequence[Message],
    anybody: Sequence[Message],
    titles: Sequence[str],
    adapted: bool,
) -> list[float]:
    """How much likelier each title is after `prompt` than the base finds it after `anybody`, in
    nats per token of their mean length: a title that is likely for everyone says nothing of one
    author (pointwise mutual information with the domain; Holtzman et al., Surface Form Competition,
    EMNLP 2021, section 3).
    """
    own = [_log_p(engine, prompt, title, adapted) for title in titles]
    usual = [_log_p(engine, anybody, title, False) for title in titles]
    length = max(1.0, sum(len(engine.tokenizer.encode(title)) for title in titles) / len(titles))
    return [(ours - theirs) / length for ours, theirs in zip(own, usual, strict=True)]


def nats_of(preferred: Sequence[float], right: int) -> float:
    """What the right one of the choices costs, in nats, all being equally likely beforehand."""
    return float(np.logaddexp.reduce(np.asarray(preferred)) - preferred[right])


def _log_p(engine: Engine, prompt: Sequence[Message], answer: str, adapted: bool) -> float:
    ids = engine.tokenizer.example_ids((*prompt, Message("assistant", answer)))
    room = max(1, engine.n_ctx - len(ids.prompt))
    return float(engine.log_likelihood(ids.prompt, ids.completion[:room], adapted=adapted).sum())

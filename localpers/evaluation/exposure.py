"""Exposure: how far a model prefers a secret that it may have learned to others of the same form.

Carlini et al., The Secret Sharer: Evaluating and Testing Unintended Memorization in Neural
Networks (USENIX Security 2019): exposure = log2 |R| - log2 rank(secret), over the space R of all
secrets of the form. Here R is sampled, which bounds what can be seen by the sample's size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from localpers.datatypes import Message
from localpers.inference.engine import Engine

CHANCE = 1 / math.log(2)
"""The mean exposure, in bits, of a secret that the model never saw: its rank is then uniform."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """`rank` of the secret by likelihood, 1 for the likeliest, among `candidates`, itself included;
    `nats` are what it costs the model, all its tokens together.
    """

    rank: int
    candidates: int
    nats: float

    @property
    def bits(self) -> float:
        """0 for the last of the candidates, log2 of their number for the first."""
        return math.log2(self.candidates) - math.log2(self.rank)


def exposure(
    engine: Engine, prompt: Sequence[Message], before: str, secret: str, others: Sequence[str]
) -> Exposure:
    """Of `secret` among `others`, each as the words that follow `before` in an answer to `prompt`.

    What is as likely as the secret counts as less likely: no memory is overlooked. Raises
    LocalpersError where it all does not fit the model's window.
    """
    tokenizer = engine.tokenizer
    context = [*tokenizer.prompt_ids(prompt), *tokenizer.encode(before)]

    def nats(words: str) -> float:
        return -float(engine.log_likelihood(context, tokenizer.encode(words)).sum())

    cost = nats(secret)
    rank = 1 + sum(nats(other) < cost for other in others)
    return Exposure(rank, 1 + len(others), cost)
